// SPDX-License-Identifier: MIT
// Training TDN against the authors' program: gradients of its loss (L1 of the energy and RMSE of the forces of a
// molecule) with either kind of forces, and the losses of ten steps of Adam.
#include <gtest/gtest.h>

#include <cmath>

#include "support/tdn_fixture.hpp"
#include "train/loss_pass.hpp"
#include "train/optimiser.hpp"

namespace isotrope {
namespace {

using testing::TdnCase;
using testing::TdnFixture;
using testing::TdnTraining;

LossConfig authors_loss() {
  LossConfig loss;
  loss.energy = loss.forces = 1;
  loss.energy_per_atom = false;
  loss.energy_penalty.kind = PenaltyConfig::Kind::mae;
  loss.forces_penalty.kind = PenaltyConfig::Kind::rmse;
  return loss;
}

ModelRecord with_forces(ModelRecord record, const char* kind) {
  record.hyperparameters["forces"] = kind;
  return record;
}

Batch labelled_batch(const TdnFixture& fixture) {
  TdnCase c = fixture.named("batch3");
  Batch batch;
  std::vector<const Structure*> molecules;
  std::size_t atom = 0;
  for (std::size_t g = 0; g < c.molecules.size(); ++g) {
    Structure& s = c.molecules[g];
    s.energy = fixture.label_energy[g];
    for (int i = 0; i < s.size(); ++i) s.forces.push_back(fixture.label_forces[atom++]);
    batch.labels.append(s, 1);
    molecules.push_back(&s);
  }
  batch.graph = make_graph(molecules, SpeciesMap(fixture.model.elements), fixture.model.cutoff);
  return batch;
}

class TdnTrainingParity : public ::testing::TestWithParam<const char*> {
 protected:
  TdnFixture fixture_ = testing::read_tdn_fixture(GetParam());

  /// In a model with both kinds the gradient forces are the answer.
  void compare_gradient(const char* kind, const TdnTraining& expected) {
    SCOPED_TRACE(kind);
    const ModelRecord record = with_forces(fixture_.model, kind);
    const auto potential = make_potential(record, Precision::double_precision);
    const Batch batch = labelled_batch(fixture_);
    std::vector<double> gradient(record.parameters.size(), 0);
    LossPass pass(*potential, authors_loss());
    const LossTerms terms = pass.add_gradient(batch, loss_counts(batch.labels), gradient);
    EXPECT_LE(std::abs(terms.energy - expected.losses[0]), 1e-12);
    EXPECT_LE(std::abs(terms.forces - expected.losses[1]), 1e-12);
    ASSERT_LE(expected.gradient.size(), gradient.size());
    for (const auto& entry : record.parameters.entries()) {
      double worst = 0;
      for (std::size_t k = entry.offset; k < entry.offset + entry.size; ++k) {
        // The force head is not in a loss on gradient forces.
        const double error = std::abs(gradient[k] - (k < expected.gradient.size() ? expected.gradient[k] : 0));
        if (!(error <= worst)) worst = error;
      }
      EXPECT_LE(worst, 1e-11) << entry.name;
    }
  }

  void compare_steps(const char* kind, const TdnTraining& expected) {
    SCOPED_TRACE(kind);
    const ModelRecord record = with_forces(fixture_.model, kind);
    const auto potential = make_potential(record, Precision::double_precision);
    const Batch batch = labelled_batch(fixture_);
    const LossCounts counts = loss_counts(batch.labels);
    LossPass pass(*potential, authors_loss());
    OptimiserConfig config;
    config.amsgrad = false;
    Adam adam(config, record.parameters.size());
    std::vector<double> parameters = record.parameters.values(), gradient(parameters.size());
    ASSERT_EQ(expected.losses.size(), 22u);
    for (int step = 0; step < 11; ++step) {
      std::fill(gradient.begin(), gradient.end(), 0.0);
      const LossTerms terms = pass.add_gradient(batch, counts, gradient);
      EXPECT_LE(std::abs(terms.energy - expected.losses[2 * step]), 1e-10) << step;
      EXPECT_LE(std::abs(terms.forces - expected.losses[2 * step + 1]), 1e-10) << step;
      adam.step(parameters, gradient, 5e-4);
      potential->set_parameters(parameters);
    }
  }
};

TEST_P(TdnTrainingParity, GradientForces) {
  compare_gradient("both", fixture_.gradient);
  compare_steps("both", fixture_.gradient);
}

TEST_P(TdnTrainingParity, DirectForces) {
  if (!fixture_.direct.gradient.empty()) compare_gradient("direct", fixture_.direct);
  compare_steps("direct", fixture_.direct);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, TdnTrainingParity, ::testing::Values("a", "b"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace isotrope
