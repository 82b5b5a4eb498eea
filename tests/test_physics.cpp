// SPDX-License-Identifier: MIT
// The physics checks: every potential of the fixtures passes them, and each check catches a potential that breaks what
// it is for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluate/physics_checks.hpp"
#include "geometry/neighbour_list.hpp"
#include "support/model_fixture.hpp"

namespace isotrope {
namespace {

using Verdict = CheckResult::Verdict;

std::vector<NamedStructure> structures_of(const testing::ModelFixture& fixture) {
  std::vector<NamedStructure> structures;
  for (const auto& s : fixture.structures) {
    if (s.structure.size() > 1) structures.push_back({s.name, s.structure});
  }
  return structures;
}

std::string report(const CheckResult& r) {
  return fmt::format("{}: {:.3g} {} of {:.3g}, {}", r.name, r.value, r.unit, r.bound, r.where);
}

class Physics : public ::testing::TestWithParam<const char*> {};

TEST_P(Physics, HoldsInDouble) {
  const auto fixture = testing::read_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  const auto structures = structures_of(fixture);
  ASSERT_FALSE(structures.empty());
  const CheckedPotential subject = checked(*potential, Precision::double_precision);
  const bool so3 = potential->info().symmetry == Symmetry::so3;
  for (const CheckResult& r : check_physics(subject, structures, false)) {
    EXPECT_NE(r.verdict, Verdict::fail) << report(r);
    const bool not_claimed = r.name == "isolated atoms" || (so3 && r.name == "reflection");
    EXPECT_TRUE(r.verdict == Verdict::pass || not_claimed) << report(r);
  }
}

TEST_P(Physics, HoldsInSingleToItsRounding) {
  const auto fixture = testing::read_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::single_precision);
  const CheckedPotential subject = checked(*potential, Precision::single_precision);
  for (const CheckResult& r : check_physics(subject, structures_of(fixture), false))
    EXPECT_NE(r.verdict, Verdict::fail) << report(r);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Physics,
                         ::testing::Values("mace/l0_c8", "mace/l0_c17_correlation1", "mace/l1_c12",
                                           "mace/l1_c20_three_layers", "mace/l1_c8_pair", "mace/l2_c5_residual",
                                           "mace/l2_c4_three_layers_residual", "nequip/so3_xplor", "nequip/so3_solid",
                                           "nequip/o3_parity", "nequip/so3_l3_bias", "nequip/so3_modality"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

struct Fresh {
  const char *architecture, *product;  ///< the product basis of mace
};
class FreshModel : public ::testing::TestWithParam<Fresh> {};

TEST_P(FreshModel, LeavesIsolatedAtomsAlone) {
  const DataStatistics statistics{{1, 6, 8}, {-13.5, -1030.0, -2040.0}, 12, 1.5};
  nlohmann::json config{
      {"architecture", GetParam().architecture}, {"cutoff", 4.0}, {"hidden_irreps", "8x0e+8x1o"}, {"radial_mlp", {16}}};
  if (GetParam().product) config["product"] = GetParam().product;
  const auto potential = make_potential(create_model(config, statistics, 7), Precision::double_precision);
  Structure water;
  water.numbers = {8, 1, 1};
  water.positions = {Vec3{0, 0, 0.1}, {0, 0.75, -0.5}, {0, -0.75, -0.5}};
  const std::vector<NamedStructure> structures{{"water", water}};
  for (const CheckResult& r : check_physics(checked(*potential, Precision::double_precision), structures, true))
    EXPECT_EQ(r.verdict, Verdict::pass) << report(r);
}

INSTANTIATE_TEST_SUITE_P(Architectures, FreshModel,
                         ::testing::Values(Fresh{"mace", "clebsch-gordan"}, Fresh{"mace", "gaunt"},
                                           Fresh{"nequip", nullptr}),
                         [](const auto& info) {
                           const char* product = info.param.product;
                           return std::string(info.param.architecture) +
                                  (product ? std::string(product) == "gaunt" ? "_gaunt" : "_full" : "");
                         });

// ---- what each check catches ------------------------------------------------------------------------------------

using Defect = std::function<void(const Structure&, Observables&)>;

/// A sound pair potential, the sum over ordered pairs of k (1 - r^2/R^2)^3, so that each defect below is the only thing
/// that is wrong.
Observables pair_energy(const Structure& s, double cutoff) {
  const NeighbourList list = build_neighbour_list(s, cutoff);
  Observables o;
  o.forces.resize(s.size());
  for (int i = 0; i < s.size(); ++i) {
    for (std::int64_t e = list.first[i]; e < list.first[i + 1]; ++e) {
      const int j = list.neighbour[e];
      const Vec3& r = list.r[e];
      const double x = 1 - dot(r, r) / (cutoff * cutoff), k = 0.1 * (s.numbers[i] + s.numbers[j]);
      const Vec3 slope = (-6 * k * x * x / (cutoff * cutoff)) * r;
      o.energy += k * x * x * x;
      o.forces[i] = o.forces[i] + slope;
      o.forces[j] = o.forces[j] - slope;
      for (int a = 0; a < 3; ++a) o.stress[a] = o.stress[a] + r[a] * slope;
    }
  }
  const bool bulk = s.periodic[0] && s.periodic[1] && s.periodic[2];
  for (Vec3& row : o.stress) row = (bulk ? 1 / std::abs(determinant(s.cell)) : 0) * row;
  return o;
}

CheckedPotential with_defect(const Defect& defect) {
  CheckedPotential potential;
  potential.info.elements = {1, 8};
  potential.info.atomic_energies = {0, 0};
  potential.info.cutoff = 3;
  potential.evaluate = [defect](const Structure& s) {
    Observables o = pair_energy(s, 3);
    defect(s, o);
    return o;
  };
  return potential;
}

std::vector<NamedStructure> cell_and_cluster() {
  Structure cluster;
  cluster.numbers = {8, 1, 1, 8};
  cluster.positions = {Vec3{0, 0, 0.1}, {0.1, 0.75, -0.5}, {0, -0.75, -0.6}, {2.9, 0.2, 0.3}};
  Structure cell = cluster;
  cell.periodic = {true, true, true};
  cell.cell = {Vec3{4.1, 0, 0}, {0.4, 4.4, 0}, {0, -0.3, 3.9}};
  return {{"cluster", cluster}, {"cell", cell}};
}

using Check = CheckResult (*)(const CheckedPotential&, Structures);
CheckResult forces(const CheckedPotential& p, Structures s) {
  return check_forces(p, s);
}
CheckResult isolated(const CheckedPotential& p, Structures s) {
  return check_isolated_atoms(p, s, true);
}

CheckResult tables(const CheckedPotential& p, Structures s) {
  return check_tables(with_defect([](const Structure&, Observables&) {}), p, s);
}

struct Case {
  const char* name;
  Check check;
  Defect defect;
};

double distance(const Structure& s, int i, int j) {
  const Vec3 r = s.positions[j] - s.positions[i];
  return std::sqrt(dot(r, r));
}

void scale_forces(const Structure&, Observables& o) {
  for (Vec3& f : o.forces) f = 1.001 * f;
}
void scale_stress(const Structure&, Observables& o) {
  for (Vec3& row : o.stress) row = 1.001 * row;
}
void stretch_along_x(const Structure& s, Observables& o) {
  for (int i = 0; i < s.size(); ++i) {
    o.energy += 1e-6 * s.positions[i][0] * s.positions[i][0];
    o.forces[i][0] -= 2e-6 * s.positions[i][0];
  }
}
void prefer_a_hand(const Structure& s, Observables& o) {
  const Vec3 a = s.positions[1] - s.positions[0], b = s.positions[2] - s.positions[0],
             c = s.positions[3] - s.positions[0];
  o.energy += 1e-6 * dot(a, cross(b, c));
}
void prefer_the_first_atom(const Structure& s, Observables& o) {
  o.energy += 1e-8 * s.numbers[0];
}
void long_range_energy(const Structure& s, Observables& o) {
  o.energy += 1e-7 * s.size() * s.size();
}
void push_everything(const Structure&, Observables& o) {
  for (Vec3& f : o.forces) f = f + Vec3{1e-8, 0, 0};
}
void turn_everything(const Structure& s, Observables& o) {
  for (int i = 0; i < s.size(); ++i) o.forces[i] = o.forces[i] + 1e-8 * cross(Vec3{0, 0, 1}, s.positions[i]);
}
template <int element>
void energy_jump(const Structure& s, Observables& o) {
  for (int i = 0; i < s.size(); ++i)
    for (int j = 0; j < i; ++j)
      if (s.numbers[i] == element && s.numbers[j] == element && distance(s, i, j) < 3) o.energy += 1e-6;
}
/// Only where a third atom is near: dimers are continuous.
void force_jump_in_company(const Structure& s, Observables& o) {
  if (s.size() > 2 && distance(s, 0, 3) < 3) o.forces[0][1] += 1e-6;
}
void shift_single_atoms(const Structure& s, Observables& o) {
  if (s.size() == 1) o.energy += 1e-9;
}
void push_single_atoms(const Structure& s, Observables& o) {
  if (s.size() == 1) o.forces[0][2] += 1e-9;
}

const Case cases[] = {
    {"ForcesTooLarge", forces, scale_forces},
    {"StressTooLarge", check_stress, scale_stress},
    {"EnergyDependsOnDirection", check_rotation, stretch_along_x},
    {"EnergyDependsOnHand", check_reflection, prefer_a_hand},
    {"FirstAtomIsSpecial", check_permutation, prefer_the_first_atom},
    {"EnergyDependsOnPlace", check_translation, stretch_along_x},
    {"EnergyGrowsWithTheSquare", check_extensivity, long_range_energy},
    {"NetForce", check_net_force, push_everything},
    {"NetTorque", check_net_force, turn_everything},
    {"EnergyJumpOfOnePair", check_cutoff, energy_jump<8>},
    {"EnergyJumpOfADimer", check_cutoff, energy_jump<1>},
    {"ForceJumpAmongOthers", check_cutoff, force_jump_in_company},
    {"SingleAtomHasEnergy", isolated, shift_single_atoms},
    {"SingleAtomHasForce", isolated, push_single_atoms},
    {"TablesAreCoarse", tables, scale_forces},
};

void make_nan(const Structure&, Observables& o) {
  o.energy = std::numeric_limits<double>::quiet_NaN();
  for (Vec3& f : o.forces) f[1] = o.energy;
  for (Vec3& row : o.stress) row[0] = o.energy;
}

class PhysicsDefect : public ::testing::TestWithParam<Case> {};

TEST_P(PhysicsDefect, IsCaught) {
  const auto structures = cell_and_cluster();
  const auto sound = [](const Structure&, Observables&) {};
  const CheckResult good = GetParam().check(with_defect(sound), structures);
  EXPECT_EQ(good.verdict, Verdict::pass) << report(good);
  const CheckResult bad = GetParam().check(with_defect(GetParam().defect), structures);
  EXPECT_EQ(bad.verdict, Verdict::fail) << report(bad);
  EXPECT_GT(bad.value, bad.bound);
  EXPECT_NE(bad.where, "");
  const CheckResult nan = GetParam().check(with_defect(make_nan), structures);
  EXPECT_EQ(nan.verdict, Verdict::fail) << report(nan);
}

INSTANTIATE_TEST_SUITE_P(All, PhysicsDefect, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Physics, WhatAModelDoesNotClaimIsANote) {
  CheckedPotential handed = with_defect(prefer_a_hand);
  handed.info.symmetry = Symmetry::so3;
  const auto structures = cell_and_cluster();
  EXPECT_EQ(check_reflection(handed, structures).verdict, Verdict::note);
  EXPECT_EQ(check_isolated_atoms(with_defect(shift_single_atoms), structures, false).verdict, Verdict::note);
  EXPECT_EQ(check_isolated_atoms(with_defect(push_single_atoms), structures, false).verdict, Verdict::fail);
  CheckedPotential broken = with_defect(make_nan);
  broken.info.symmetry = Symmetry::none;
  EXPECT_EQ(check_rotation(broken, structures).verdict, Verdict::fail) << "NaN is never a note";
}

TEST(Physics, OneNaNAmongManyNumbersIsTheWorst) {
  const CheckedPotential potential = with_defect([](const Structure&, Observables& o) {
    if (o.forces.size() > 1) o.forces[1][2] = std::numeric_limits<double>::quiet_NaN();
  });
  const CheckResult r = check_forces(potential, cell_and_cluster());
  EXPECT_EQ(r.verdict, Verdict::fail);
  EXPECT_TRUE(std::isnan(r.value));
}

}  // namespace
}  // namespace isotrope
