// SPDX-License-Identifier: MIT
// MACE against mace-torch 0.3.16 with the same weights: energies, forces, stress, and gradients of an energy + force +
// stress loss.
#include <gtest/gtest.h>

#include <cmath>

#include "geometry/forces.hpp"
#include "models/potential.hpp"
#include "support/mace_fixture.hpp"

namespace isotrope {
namespace {

using testing::FixtureStructure;
using testing::MaceFixture;

const char* const names[] = {
    "l0_c8",          "l0_c17_correlation1",        "l1_c12", "l1_c20_three_layers", "l1_c8_pair",
    "l2_c5_residual", "l2_c4_three_layers_residual"};

struct Evaluation {
  Graph graph;
  Result result;
  std::vector<Vec3> forces;
  std::vector<Mat3> stress;
};

Evaluation evaluate(const Potential& potential, const std::vector<const Structure*>& structures) {
  Evaluation e;
  e.graph = make_graph(structures, SpeciesMap(potential.info().elements), potential.info().cutoff);
  NoHalo halo;
  const auto workspace = potential.make_workspace();
  potential.evaluate(e.graph, halo, *workspace, e.result);
  assemble_forces(e.graph, e.result.dE_dr, e.forces);
  assemble_stress(e.graph, e.result.dE_dr, e.stress);
  return e;
}

double rms(const std::vector<Vec3>& rows) {
  double sum = 0;
  for (const Vec3& row : rows) sum += dot(row, row);
  return std::sqrt(sum / (3 * rows.size()));
}

void compare(const Potential& potential, const FixtureStructure& expected, double energy_tolerance,
             double force_tolerance) {
  SCOPED_TRACE(expected.name);
  const Evaluation e = evaluate(potential, {&expected.structure});
  ASSERT_EQ(e.graph.edges(), expected.edges);
  const double scale = std::max(rms(expected.forces), 0.1);
  for (int i = 0; i < expected.structure.size(); ++i) {
    EXPECT_LE(std::abs(e.result.atom_energy[i] - expected.atom_energies[i]), energy_tolerance);
    for (int k = 0; k < 3; ++k) EXPECT_LE(std::abs(e.forces[i][k] - expected.forces[i][k]), force_tolerance * scale);
  }
  if (!expected.has_stress) return;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) EXPECT_LE(std::abs(e.stress[0][a][b] - expected.stress[a][b]), force_tolerance);
  }
}

class MaceParity : public ::testing::TestWithParam<const char*> {};

TEST_P(MaceParity, DoubleEqualsMaceTorch) {
  const MaceFixture fixture = testing::read_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 1e-11, 1e-10);
}

TEST_P(MaceParity, SingleIsWithinItsRounding) {
  const MaceFixture fixture = testing::read_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::single_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 2e-4, 2e-4);
}

TEST_P(MaceParity, LossGradientEqualsAutograd) {
  const MaceFixture fixture = testing::read_fixture(GetParam());
  if (!fixture.has_training) GTEST_SKIP() << "this fixture has no training part";
  const auto& training = fixture.training;
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  std::vector<const Structure*> batch;
  for (const int k : training.structures) batch.push_back(&fixture.structures[k].structure);
  const Evaluation e = evaluate(*potential, batch);

  LossTangent tangent;
  std::vector<double> energy(batch.size(), 0);
  for (int i = 0; i < e.graph.owned; ++i) {
    energy[e.graph.graph[i]] += e.result.atom_energy[i] + potential->info().atomic_energies[e.graph.species[i]];
  }
  double loss = 0;
  for (std::size_t g = 0; g < batch.size(); ++g) {
    const double n = batch[g]->size(), error = energy[g] - training.energy[g];
    loss += training.weights[0] * error * error / (n * n);
    tangent.energy.push_back(2 * training.weights[0] * error / (n * n));
  }
  std::vector<Vec3> v(e.graph.owned);
  for (int i = 0; i < e.graph.owned; ++i) {
    for (int k = 0; k < 3; ++k) {
      const double error = e.forces[i][k] - training.forces[3 * i + k];
      loss += training.weights[1] * error * error;
      v[i][k] = 2 * training.weights[1] * error;
    }
  }
  std::vector<Mat3> S(batch.size());
  for (std::size_t g = 0; g < batch.size(); ++g) {
    if (!fixture.structures[training.structures[g]].has_stress) continue;
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        const double error = e.stress[g][a][b] - training.stress[9 * g + 3 * a + b];
        loss += training.weights[2] * error * error;
        S[g][a][b] = 2 * training.weights[2] * error;
      }
    }
  }
  EXPECT_LE(std::abs(loss - training.loss), 1e-10 * training.loss);

  edge_tangent(e.graph, v, S, tangent.dr);
  std::vector<double> gradient(training.gradient.size(), 0);
  const auto workspace = potential->make_workspace();
  potential->add_loss_gradient(e.graph, tangent, *workspace, gradient);
  for (const auto& entry : fixture.model.parameters.entries()) {
    double error = 0, size = 0;
    for (std::size_t k = entry.offset; k < entry.offset + entry.size; ++k) {
      error += std::pow(gradient[k] - training.gradient[k], 2);
      size += std::pow(training.gradient[k], 2);
    }
    EXPECT_LE(std::sqrt(error), 1e-9 * std::sqrt(size) + 1e-12 * loss) << entry.name;
  }
}

/// Tables stand for the radial networks within the tolerance that was asked for, and vanish with new parameters.
TEST_P(MaceParity, TablesAreWithinTheirTolerance) {
  const MaceFixture fixture = testing::read_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  double errors[2];
  for (const double tolerance : {1e-3, 1e-6}) {
    const auto report = potential->tabulate_radial(tolerance);
    ASSERT_TRUE(report.has_value());
    EXPECT_LE(report->value_error, tolerance);
    EXPECT_LE(report->slope_error, tolerance);
    double worst = 0;
    for (const auto& expected : fixture.structures) {
      const Evaluation e = evaluate(*potential, {&expected.structure});
      for (int i = 0; i < expected.structure.size(); ++i) {
        const Vec3 difference = e.forces[i] - expected.forces[i];
        worst = std::max(worst, std::sqrt(dot(difference, difference)) / std::max(rms(expected.forces), 0.1));
      }
    }
    errors[tolerance < 1e-4] = worst;
  }
  EXPECT_LE(errors[1], 1e-5);
  EXPECT_GT(errors[0], errors[1]);
  potential->set_parameters(fixture.model.parameters.values());
  for (const auto& structure : fixture.structures) compare(*potential, structure, 1e-11, 1e-10);
}

TEST(MaceTables, ForcesAreTheDerivativeOfTheTabulatedEnergy) {
  const MaceFixture fixture = testing::read_fixture("l1_c8_pair");
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
