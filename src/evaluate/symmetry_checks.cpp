// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "core/random.hpp"
#include "evaluate/physics_checks.hpp"
#include "evaluate/worst_violation.hpp"
#include "so3/wigner_d.hpp"

namespace isotrope {

using namespace physics;

namespace {

/// A structure after an operation that must not change what happens, and what its observables must then be.
struct Image {
  Structure structure;
  Observables expected;
};

using Operation = std::function<Image(const Structure&, const Observables&)>;

Mat3 transpose(const Mat3& m) {
  Mat3 t;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) t[a][b] = m[b][a];
  return t;
}
Mat3 multiply(const Mat3& a, const Mat3& b) {
  const Mat3 columns = transpose(b);
  return {columns * a[0], columns * a[1], columns * a[2]};
}

/// Compares the energy (per atom), the forces and the virial (per atom) with what they must be.
void compare(const Tolerance& tolerance, const Image& image, const Observables& found, const std::string& name,
             WorstViolation& worst) {
  const Observables& expected = image.expected;
  const double atoms = image.structure.size();
  const double energy_bound = tolerance.energy * std::max(1.0, std::abs(expected.energy) / atoms);
  const double force_bound = tolerance.force * force_scale(expected);
  worst.add(std::abs(found.energy - expected.energy) / atoms, energy_bound, "eV/atom", name + ", energy");
  for (std::size_t i = 0; i < expected.forces.size(); ++i)
    worst.add(length(found.forces.at(i) - expected.forces[i]), force_bound, "eV/Å",
              fmt::format("{}, force on atom {}", name, i));
  if (!fully_periodic(image.structure)) return;
  const double volume = std::abs(determinant(image.structure.cell));
  for (int a = 0; a < 3; ++a)
    worst.add(volume * length(found.stress[a] - expected.stress[a]) / atoms, force_bound, "eV/atom",
              name + ", stress times volume");
}

std::vector<NamedStructure> with_fading_frames(const CheckedPotential& potential, Structures structures, bool fading) {
  std::vector<NamedStructure> chosen;
  std::copy_if(structures.begin(), structures.end(), std::back_inserter(chosen),
               [&](const NamedStructure& s) { return frames_fade(potential, s.structure) == fading; });
  return chosen;
}

CheckResult check_operation(const char* check, const CheckedPotential& potential, Structures structures,
                            const Operation& operation, bool claimed = true) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  WorstViolation worst;
  for (const auto& [name, structure] : structures) {
    const Image image = operation(structure, potential.evaluate(structure));
    compare(tolerance, image, potential.evaluate(image.structure), name, worst);
  }
  return worst.result(check, claimed);
}

Image rotated(const Structure& structure, const Observables& here, const Mat3& rotation) {
  Image image{structure, here};
  for (Vec3& r : image.structure.positions) r = rotation * r;
  for (Vec3& row : image.structure.cell) row = rotation * row;
  for (Vec3& f : image.expected.forces) f = rotation * f;
  image.expected.stress = multiply(multiply(rotation, here.stress), transpose(rotation));
  return image;
}

Image renumbered(const Structure& structure, const Observables& here) {
  Image image{structure, here};
  const std::vector<int> order = shuffled(structure.size(), 2, 0);
  for (int i = 0; i < structure.size(); ++i) {
    image.structure.numbers[i] = structure.numbers[order[i]];
    image.structure.positions[i] = structure.positions[order[i]];
    image.expected.forces[i] = here.forces[order[i]];
  }
  return image;
}

Image shifted(const Structure& structure, const Observables& here) {
  Image image{structure, here};
  SplitMix random(3);
  for (Vec3& r : image.structure.positions) {
    r = r + Vec3{7.3, -4.1, 2.9};
    for (int d = 0; d < 3; ++d) {
      if (structure.periodic[d]) r = r + (static_cast<double>(random.below(5)) - 2) * structure.cell[d];
    }
  }
  return image;
}

/// Twice the structure: two copies 1000 Å apart, or a cell of twice the length.
Image doubled(const Structure& structure, const Observables& here) {
  Image image{structure, here};
  Structure& two = image.structure;
  Vec3 offset{1000, 0, 0};
  for (int d = 2; d >= 0; --d) {
    if (structure.periodic[d]) offset = structure.cell[d];
  }
  for (int d = 0; d < 3; ++d) {
    if (structure.periodic[d] && offset == structure.cell[d]) two.cell[d] = 2.0 * offset;
  }
  if (structure.charge) two.charge = 2 * *structure.charge;
  if (structure.multiplicity) two.multiplicity = 2 * *structure.multiplicity - 1;
  for (int i = 0; i < structure.size(); ++i) {
    two.numbers.push_back(structure.numbers[i]);
    two.positions.push_back(structure.positions[i] + offset);
    image.expected.forces.push_back(here.forces[i]);
  }
  image.expected.energy = 2 * here.energy;
  return image;
}

Vec3 centroid(const Structure& s) {
  Vec3 sum{};
  for (const Vec3& r : s.positions) sum = sum + r;
  return (1.0 / s.size()) * sum;
}

}  // namespace

CheckResult check_rotation(const CheckedPotential& potential, Structures structures) {
  const Mat3 rotation = random_rotation(4);
  return check_operation(
      "rotation", potential, with_fading_frames(potential, structures, false),
      [&](const Structure& s, const Observables& o) { return rotated(s, o, rotation); },
      potential.info.symmetry != Symmetry::none);
}

CheckResult check_reflection(const CheckedPotential& potential, Structures structures) {
  Mat3 improper = random_rotation(5);
  for (Vec3& row : improper) row = -1.0 * row;
  return check_operation(
      "reflection", potential, with_fading_frames(potential, structures, false),
      [&](const Structure& s, const Observables& o) { return rotated(s, o, improper); },
      potential.info.symmetry == Symmetry::o3);
}

CheckResult check_fading_frames(const CheckedPotential& potential, Structures structures) {
  const Mat3 rotation = random_rotation(4);
  return check_operation(
      "fading frames", potential, with_fading_frames(potential, structures, true),
      [&](const Structure& s, const Observables& o) { return rotated(s, o, rotation); }, false);
}

CheckResult check_permutation(const CheckedPotential& potential, Structures structures) {
  return check_operation("permutation", potential, structures, renumbered);
}

CheckResult check_translation(const CheckedPotential& potential, Structures structures) {
  return check_operation("translation", potential, structures, shifted);
}

CheckResult check_extensivity(const CheckedPotential& potential, Structures structures) {
  // Without a cutoff copies see each other however far apart they are.
  if (potential.info.cutoff == 0) structures = {};
  if (potential.info.charges.empty()) return check_operation("extensivity", potential, structures, doubled);
  // A total charge or spin is not the sum of those of the copies to a model that reads it.
  std::vector<NamedStructure> neutral;
  std::copy_if(structures.begin(), structures.end(), std::back_inserter(neutral), [](const NamedStructure& s) {
    return s.structure.charge.value_or(0) == 0 && s.structure.multiplicity.value_or(1) == 1;
  });
  return check_operation("extensivity", potential, neutral, doubled);
}

CheckResult check_net_force(const CheckedPotential& potential, Structures structures) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  WorstViolation worst;
  for (const auto& [name, structure] : structures) {
    const Observables here = potential.evaluate(structure);
    const double atoms = structure.size(), bound = tolerance.force * force_scale(here);
    const Vec3 centre = centroid(structure);
    Vec3 force{}, torque{};
    double radius = 1;
    for (int i = 0; i < structure.size(); ++i) {
      const Vec3 arm = structure.positions[i] - centre;
      force = force + here.forces[i];
      torque = torque + cross(arm, here.forces[i]);
      radius = std::max(radius, length(arm));
    }
    worst.add(length(force) / atoms, bound, "eV/Å", name + ", net force per atom");
    const bool invariant = potential.info.symmetry != Symmetry::none && !frames_fade(potential, structure);
    if (molecule(structure) && invariant)
      worst.add(length(torque) / atoms, bound * radius, "eV", name + ", net torque per atom");
  }
  return worst.result("net force", potential.info.forces == Forces::gradient);
}

}  // namespace isotrope
