// SPDX-License-Identifier: MIT
// Orbits: what they sample, that a sound potential is flat over them, and that each catches a potential that breaks
// what it is for, by the amount by which it is broken.
#include "evaluate/orbit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "support/random_structure.hpp"
#include "support/toy_potential.hpp"

namespace isotrope {
namespace {

using Defect = std::function<void(const Structure&, Observables&)>;

NamedStructure subject() {
  Structure s;
  s.numbers = {8, 1, 1, 6};
  s.positions = {Vec3{0, 0, 0.1}, {0.1, 0.75, -0.5}, {0, -0.75, -0.4}, {1.3, 0.2, 0.6}};
  return {"four atoms", s};
}

/// The toy potential with a defect added to what it says.
CheckedPotential broken(const Defect& defect) {
  const DataStatistics statistics{{1, 6, 8}, {-13.5, -1030.0, -2040.0}, 12, 1.5};
  const ModelRecord record = test::ToyPotential::create({{"architecture", "toy"}, {"cutoff", 4.0}}, statistics, 3);
  auto potential = std::make_shared<test::ToyPotential>(record);
  const CheckedPotential sound = checked(*potential, Precision::double_precision);
  return {sound.info, sound.precision, [potential, sound, defect](const Structure& s) {
            Observables o = sound.evaluate(s);
            defect(s, o);
            return o;
          }};
}

OrbitSummary energies(const CheckedPotential& potential, const Orbit& orbit) {
  return summarise({measure_orbit(potential, orbit, subject()).consensus.energy});
}
OrbitSummary forces(const CheckedPotential& potential, const Orbit& orbit) {
  return summarise({measure_orbit(potential, orbit, subject()).consensus.forces});
}

TEST(Orbit, SamplesAsNeroDoes) {
  const Orbit orbit = rotation_orbit(10);
  EXPECT_EQ(orbit.elements.size(), 3U * 36 * 19);
  for (const OrbitElement& element : orbit.elements) EXPECT_LE(std::abs(determinant(element.matrix) - 1), 1e-14);
  int mirrors = 0;
  for (const OrbitElement& element : reflection_orbit(10).elements) mirrors += determinant(element.matrix) < 0;
  EXPECT_EQ(mirrors, 3 * 18);
  // 90 degrees about x, the axis at 0 degrees in xy: y becomes z.
  const OrbitElement& quarter = orbit.elements[9];
  EXPECT_EQ(quarter.place, (std::vector<std::string>{"xy", "0", "90"}));
  const Vec3 z = quarter.matrix * Vec3{0, 1, 0};
  EXPECT_TRUE(std::abs(z[0]) + std::abs(z[1]) + std::abs(z[2] - 1) <= 1e-15);
}

TEST(Orbit, TransformsBack) {
  const Structure s = subject().structure;
  for (const Orbit& orbit : all_orbits(60)) {
    for (const OrbitElement& element : orbit.elements) {
      const Structure image = element.apply(s);
      std::vector<Vec3> arms = image.positions;
      for (Vec3& r : arms) r = r - element.shift;
      const std::vector<Vec3> found = element.back(arms);
      for (int i = 0; i < s.size(); ++i)
        for (int k = 0; k < 3; ++k) ASSERT_TRUE(std::abs(found[i][k] - s.positions[i][k]) <= 1e-14) << orbit.name;
    }
  }
}

TEST(Orbit, ASoundPotentialIsFlat) {
  const CheckedPotential sound = broken([](const Structure&, Observables&) {});
  for (const Orbit& orbit : all_orbits(30)) {
    EXPECT_TRUE(energies(sound, orbit).max <= 1e-12) << orbit.name;
    EXPECT_TRUE(forces(sound, orbit).max <= 1e-12) << orbit.name;
  }
}

TEST(Orbit, RotationCatchesAFieldAlongZ) {
  const CheckedPotential field = broken([](const Structure& s, Observables& o) {
    for (int i = 0; i < s.size(); ++i) {
      const double charge = s.numbers[i] == 8 ? 0.01 : s.numbers[i] == 6 ? -0.01 : 0;
      o.energy += charge * s.positions[i][2];
      o.forces[i][2] -= charge;
    }
  });
  EXPECT_GT(energies(field, rotation_orbit(30)).max, 0.005);
  EXPECT_GT(energies(field, rotation_orbit(30)).std, 0.001);
  EXPECT_GT(forces(field, rotation_orbit(30)).max, 0.002);
  EXPECT_TRUE(energies(field, translation_orbit()).max <= 1e-12);
  EXPECT_TRUE(energies(field, permutation_orbit(8)).max <= 1e-12);
}

TEST(Orbit, ReflectionCatchesHandednessThatRotationCannotSee) {
  const CheckedPotential handed = broken([](const Structure& s, Observables& o) {
    const auto& r = s.positions;
    o.energy += 0.02 * dot(r[1] - r[0], cross(r[2] - r[0], r[3] - r[0]));
  });
  const auto& r = subject().structure.positions;
  const double volume = std::abs(0.02 * dot(r[1] - r[0], cross(r[2] - r[0], r[3] - r[0])));
  const OrbitSummary summary = energies(handed, reflection_orbit(30));
  EXPECT_NEAR(summary.max, volume, 1e-12);  // +v and -v around a consensus of 0
  EXPECT_NEAR(summary.mean, volume, 1e-12);
  EXPECT_TRUE(energies(handed, rotation_orbit(30)).max <= 1e-12);
}

TEST(Orbit, TranslationCatchesAnOrigin) {
  const CheckedPotential origin =
      broken([](const Structure& s, Observables& o) { o.energy += 1e-3 * dot(s.positions[0], s.positions[0]); });
  EXPECT_GT(energies(origin, translation_orbit()).max, 0.05);
}

TEST(Orbit, PermutationCatchesAFavouredAtom) {
  const CheckedPotential favoured =
      broken([](const Structure& s, Observables& o) { o.forces[0][0] += 1e-3 * s.numbers[0]; });
  EXPECT_GT(forces(favoured, permutation_orbit(8)).max, 1e-3);
  EXPECT_TRUE(energies(favoured, permutation_orbit(8)).max <= 1e-12);
}

TEST(Orbit, ComparesWithLabels) {
  const CheckedPotential sound = broken([](const Structure&, Observables&) {});
  NamedStructure labelled = subject();
  const Observables truth = sound.evaluate(labelled.structure);
  labelled.structure.energy = truth.energy + (-2040.0 - 2 * 13.5 - 1030.0) - 0.25;
  labelled.structure.forces = truth.forces;
  labelled.structure.forces[2] = labelled.structure.forces[2] + Vec3{0, 0.3, 0};
  const OrbitMeasurement m = measure_orbit(sound, rotation_orbit(60), labelled);
  for (const double e : m.labels.energy) EXPECT_NEAR(e, 0.25, 1e-11);
  for (const double f : m.labels.forces) EXPECT_NEAR(f, 0.15, 1e-12);  // 0.3 on one of four atoms, root mean square
  EXPECT_TRUE(summarise({m.labels.energy}).std <= 1e-12);
  EXPECT_TRUE(measure_orbit(sound, rotation_orbit(60), subject()).labels.energy.empty());
}

TEST(Orbit, RefusesNaN) {
  const CheckedPotential lost =
      broken([](const Structure&, Observables& o) { o.energy = std::numeric_limits<double>::quiet_NaN(); });
  try {
    measure_orbit(lost, rotation_orbit(90), subject());
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "four atoms: the model's energy or forces are NaN or infinite");
  }
}

TEST(Orbit, Summary) {
  const OrbitSummary s = summarise({{1, 3}, {}, {10, 10}});
  EXPECT_NEAR(s.mean, 6, 1e-15);
  EXPECT_EQ(s.max, 10);
  EXPECT_NEAR(s.std, std::sqrt(0.5), 1e-15);  // variances 1 and 0
  EXPECT_TRUE(std::isnan(summarise({{}}).mean));
}

}  // namespace
}  // namespace isotrope
