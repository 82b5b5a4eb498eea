// SPDX-License-Identifier: MIT
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "geometry/forces.hpp"
#include "models/potential.hpp"
#include "support/model_fixture.hpp"

/// A potential against what the original program computed with the same weights.
namespace isotrope::testing {

struct Evaluation {
  Graph graph;
  Result result;
  std::vector<Vec3> forces;
  std::vector<Mat3> stress;
};

inline Evaluation evaluate(const Potential& potential, const std::vector<const Structure*>& structures) {
  Evaluation e;
  e.graph = make_graph(structures, SpeciesMap(potential.info().elements), potential.info().cutoff);
  NoHalo halo;
  const auto workspace = potential.make_workspace();
  potential.evaluate(e.graph, halo, *workspace, e.result);
  assemble_forces(e.graph, e.result.dE_dr, e.forces);
  assemble_stress(e.graph, e.result.dE_dr, e.stress);
  return e;
}

inline double rms(const std::vector<Vec3>& rows) {
  double sum = 0;
  for (const Vec3& row : rows) sum += dot(row, row);
  return std::sqrt(sum / (3 * rows.size()));
}

inline void compare(const Potential& potential, const FixtureStructure& expected, double energy_tolerance,
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

/// The gradient of an energy + force + stress loss against the original's autograd, parameter by parameter.
inline void compare_loss_gradient(const ModelFixture& fixture) {
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
inline void compare_tables(const ModelFixture& fixture) {
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  double errors[2];
  for (const double tolerance : {1e-3, default_table_tolerance}) {
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
  EXPECT_LE(errors[1], 3e-6);
  EXPECT_GT(errors[0], errors[1]);
  potential->set_parameters(fixture.model.parameters.values());
  for (const auto& structure : fixture.structures) compare(*potential, structure, 1e-11, 1e-10);
}

}  // namespace isotrope::testing
