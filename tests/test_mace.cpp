// SPDX-License-Identifier: MIT
// MACE against mace-torch 0.3.16 with the same weights: energies, forces, stress, and gradients of an energy + force +
// stress loss.
#include <gtest/gtest.h>

#include <cmath>

#include "support/parity_checks.hpp"

namespace isotrope {
namespace {

using testing::compare;
using testing::evaluate;
using testing::Evaluation;
using testing::ModelFixture;

const char* const names[] = {"l0_c8", "l0_c17_correlation1", "l1_c12", "l1_c20_three_layers", "l1_c8_pair",
                             "l2_c5_residual", "l2_c4_three_layers_residual",
                             // forms of public checkpoints
                             "agnesi_l1_c4", "zbl_l0_c6", "density_l1_c4", "late_envelope_l1_c4", "mp0b_l1_c8",
                             "residual_density_l2_c3", "heads_l1_c4", "reduced_cg_l1_c4"};

class MaceParity : public ::testing::TestWithParam<const char*> {};

TEST_P(MaceParity, DoubleEqualsMaceTorch) {
  const ModelFixture fixture = testing::read_fixture(std::string("mace/") + GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 1e-11, 1e-10);
}

TEST_P(MaceParity, SingleIsWithinItsRounding) {
  const ModelFixture fixture = testing::read_fixture(std::string("mace/") + GetParam());
  const auto potential = make_potential(fixture.model, Precision::single_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 2e-4, 2e-4);
}

TEST_P(MaceParity, LossGradientEqualsAutograd) {
  const ModelFixture fixture = testing::read_fixture(std::string("mace/") + GetParam());
  if (!fixture.has_training) GTEST_SKIP() << "this fixture has no training part";
  testing::compare_loss_gradient(fixture);
}

/// Tables stand for the radial networks within the tolerance that was asked for, and vanish with new parameters. Where
/// the radial functions differ from pair to pair of elements there are none.
TEST_P(MaceParity, TablesAreWithinTheirTolerance) {
  const ModelFixture fixture = testing::read_fixture(std::string("mace/") + GetParam());
  if (fixture.model.hyperparameters.contains("distance_transform")) {
    const auto potential = make_potential(fixture.model, Precision::double_precision);
    EXPECT_FALSE(potential->tabulate_radial(1e-6).has_value());
    compare(*potential, fixture.structures[0], 1e-11, 1e-10);
    return;
  }
  testing::compare_tables(fixture);
}

TEST(MaceTables, ForcesAreTheDerivativeOfTheTabulatedEnergy) {
  const ModelFixture fixture = testing::read_fixture("mace/l1_c8_pair");
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  potential->tabulate_radial(1e-2);
  Structure moved = fixture.structures[0].structure;
  const Evaluation here = evaluate(*potential, {&moved});
  const double step = 1e-5;
  for (int k = 0; k < 3; ++k) {
    double energy[2];
    for (const int side : {0, 1}) {
      moved = fixture.structures[0].structure;
      moved.positions[1][k] += side ? step : -step;
      energy[side] = 0;
      for (const double e : evaluate(*potential, {&moved}).result.atom_energy) energy[side] += e;
    }
    EXPECT_LE(std::abs(here.forces[1][k] + (energy[1] - energy[0]) / (2 * step)), 1e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, MaceParity, ::testing::ValuesIn(names),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace isotrope
