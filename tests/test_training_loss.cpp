// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "support/training_fixtures.hpp"
#include "train/loss_pass.hpp"
#include "train/optimiser.hpp"
#include "train/schedule.hpp"

namespace isotrope {
namespace {

using test::ToyPotential;

// --- optimiser -------------------------------------------------------------------------------------------------------

/// Five steps of torch 2 (float64) from (1, -0.5) with lr 0.1, betas (0.8, 0.9), eps 1e-6 and the gradients below:
/// torch.optim.Adam, Adam(amsgrad=True), Adam(amsgrad=True, weight_decay=0.1), AdamW(weight_decay=0.1).
constexpr double gradients[5][2] = {{1.0, -2.0}, {-0.5, 0.25}, {0.1, 0.0}, {2.0, 1e-3}, {-3.0, 0.5}};
using Sequence = double[5][2];

void expect_sequence(bool amsgrad, bool decoupled, double decay, const Sequence& expected) {
  OptimiserConfig config;
  config.beta1 = 0.8, config.beta2 = 0.9, config.epsilon = 1e-6;
  config.amsgrad = amsgrad, config.decoupled_decay = decoupled, config.weight_decay = decay;
  Adam adam(config, 2);
  std::vector<double> x{1.0, -0.5};
  for (int n = 0; n < 5; ++n) {
    adam.step(x, gradients[n], 0.1);
    for (int k = 0; k < 2; ++k) EXPECT_NEAR(x[k], expected[n][k], 1e-14) << "step " << n;
  }
}

TEST(Optimiser, AdamIsTorchs) {
  expect_sequence(false, false, 0,
                  {{0.90000009999989994, -0.40000004999997502},
                   {0.87857730797219136, -0.34598075221063468},
                   {0.85613771931556315, -0.30584715299336196},
                   {0.79192482470296655, -0.27437121627033573},
                   {0.8113357653386728, -0.26766366584164952}});
}

TEST(Optimiser, AmsgradIsTorchs) {
  expect_sequence(true, false, 0,
                  {{0.90000009999989994, -0.40000004999997502},
                   {0.87857730797219136, -0.3483099028046121},
                   {0.85718664971947589, -0.31187746589924586},
                   {0.79297375510687929, -0.28477054851650291},
                   {0.81238469574258554, -0.27903964984642926}});
}

TEST(Optimiser, WeightDecayIsTorchs) {
  expect_sequence(true, false, 0.1,
                  {{0.90000009090900823, -0.40000004878046402},
                   {0.8678992273367514, -0.34658222620843537},
                   {0.83403387584536792, -0.30779144722661217},
                   {0.76547871336724782, -0.27798385109614321},
                   {0.78022359286370369, -0.26899920876458827}});
  expect_sequence(false, true, 0.1,
                  {{0.89000009999989993, -0.39500004999997501},
                   {0.85967730697219236, -0.3370307517106349},
                   {0.8286409452458422, -0.29352684497625581},
                   {0.75614164118078719, -0.25911563980346702},
                   {0.76799116540468559, -0.24981693297674615}});
}

TEST(Optimiser, ClipsToTheNormAndNotBelow) {
  std::vector<double> gradient{3, 4};
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 10), 5);
  EXPECT_DOUBLE_EQ(gradient[1], 4);
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 1), 5);
  EXPECT_DOUBLE_EQ(gradient[0], 0.6);
  EXPECT_DOUBLE_EQ(gradient[1], 0.8);
  EXPECT_DOUBLE_EQ(clip_gradient(gradient, 0), 1);
}

TEST(Average, WarmsUpThenDecays) {
  const std::vector<double> start{1.0}, then{2.0};
  MovingAverage average(0.3, start);
  average.update(then);  // decay 2/11
  EXPECT_NEAR(average.values()[0], 1 * 2.0 / 11 + 2 * 9.0 / 11, 1e-15);
  const double before = average.values()[0];
  average.update(then);  // decay 3/12
  EXPECT_NEAR(average.values()[0], before * 0.25 + 2 * 0.75, 1e-15);
  for (int n = 0; n < 3; ++n) average.update(then);
  const double late = average.values()[0];
  average.update(start);  // 7/16 > 0.3
  EXPECT_NEAR(average.values()[0], late * 0.3 + 0.7, 1e-15);
  MovingAverage none(0, start);
  none.update(then);
  EXPECT_EQ(none.values()[0], 2.0);
}

// --- schedule --------------------------------------------------------------------------------------------------------

TEST(Schedule, PlateauFallsAfterPatience) {
  ScheduleConfig config;
  config.kind = ScheduleConfig::Kind::plateau;
  config.factor = 0.5, config.patience = 2, config.minimum = 0.2;
  Schedule schedule(config, 1.0);
  const double losses[] = {5, 4, 4, 4.5, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
  const double rates[] = {1, 1, 1, 1, .5, .5, .5, .5, .25, .25, .25, .2, .2, .2, .2};
  for (int n = 0; n < 15; ++n) {
    schedule.validated(losses[n]);
    EXPECT_DOUBLE_EQ(schedule.learning_rate({n, 0, 0}), rates[n]) << n;
  }
  schedule.validated(std::nan(""));  // counts as no better
  EXPECT_EQ(schedule.state().best, 3);
}

TEST(Schedule, CosineExponentialWarmUp) {
  ScheduleConfig cosine;
  cosine.kind = ScheduleConfig::Kind::cosine;
  cosine.minimum = 0.1, cosine.length = 100, cosine.warmup_steps = 10;
  const Schedule a(cosine, 1.1);
  EXPECT_NEAR(a.learning_rate({0, 0, 0}), 0.11, 1e-15);
  EXPECT_NEAR(a.learning_rate({50, 0, 0}), 0.6, 1e-15);
  EXPECT_NEAR(a.learning_rate({100, 0, 0}), 0.1, 1e-15);
  EXPECT_NEAR(a.learning_rate({1000, 0, 0}), 0.1, 1e-15);
  cosine.unit = ScheduleConfig::Unit::seconds;
  EXPECT_NEAR(Schedule(cosine, 1.1).learning_rate({50, 0, 100}), 0.1, 1e-15);
  ScheduleConfig exponential;
  exponential.kind = ScheduleConfig::Kind::exponential;
  exponential.factor = 0.5, exponential.unit = ScheduleConfig::Unit::epochs;
  EXPECT_DOUBLE_EQ(Schedule(exponential, 1).learning_rate({70, 2.9, 0}), 0.25);
  exponential.unit = ScheduleConfig::Unit::steps;
  EXPECT_DOUBLE_EQ(Schedule(exponential, 1).learning_rate({3, 2.9, 0}), 0.125);
}

// --- loss ------------------------------------------------------------------------------------------------------------

struct LossCase {
  const char* name;
  PenaltyConfig::Kind energy, forces, stress;
};

LossConfig loss_config(const LossCase& c) {
  LossConfig loss;
  loss.energy = 2, loss.forces = 30, loss.stress = 500;
  loss.energy_penalty = {c.energy, 0.01};
  loss.forces_penalty = {c.forces, 0.1};
  loss.stress_penalty = {c.stress, 0.001};
  return loss;
}

using Kind = PenaltyConfig::Kind;
const LossCase loss_cases[] = {{"mse", Kind::mse, Kind::mse, Kind::mse},
                               {"huber", Kind::huber, Kind::huber, Kind::huber},
                               {"mae", Kind::mae, Kind::norm, Kind::mae},
                               {"rmse", Kind::mae, Kind::rmse, Kind::mse}};

/// Two crystals and a molecule, one without energy, one without forces, the molecule without stress.
Batch mixed_batch() {
  auto structures = test::crystals(2, 5);
  structures.push_back(test::molecules(1, 6)[0]);
  structures[0].energy.reset();
  structures[1].forces.clear();
  structures[1].weight = 0.3;
  return test::batch_of(structures);
}

TEST(Loss, IsTheStatedMean) {
  LossConfig config;
  config.energy = 2, config.forces = 30;
  Labels labels;
  labels.first_atom = {0, 2, 3};
  labels.weight = {0.5, 2};
  labels.has_energy = {1, 1}, labels.has_forces = {1, 0}, labels.has_stress = {0, 0};
  labels.energy = {1, 5};
  labels.forces = {Vec3{1, 0, 0}, Vec3{}, Vec3{}};
  labels.stress.resize(2);
  Prediction prediction{{2, 8}, {Vec3{}, Vec3{0, 2, 0}, Vec3{9, 9, 9}}, {Mat3{}, Mat3{}}};
  LossDerivative derivative;
  const LossTerms terms = evaluate_loss(config, loss_counts(labels), labels, prediction, derivative);
  EXPECT_DOUBLE_EQ(terms.energy, 2 * (0.5 * 0.25 + 2 * 9) / 2);
  EXPECT_DOUBLE_EQ(terms.forces, 30 * 0.5 * (1 + 4) / 6);
  EXPECT_EQ(terms.stress, 0);
  ErrorSums errors;
  errors.add(labels, prediction);
  EXPECT_DOUBLE_EQ(errors.energy_mae(), (0.5 + 3) / 2);
  EXPECT_DOUBLE_EQ(errors.force_mae(), 3.0 / 6);
  EXPECT_DOUBLE_EQ(errors.force_rmse(), std::sqrt(5.0 / 6));
  EXPECT_TRUE(std::isnan(errors.stress_mae()));
}

TEST(Loss, OfWholeStructuresAndOfBothKindsOfForces) {
  LossConfig config;
  config.energy = 2, config.forces = 30, config.direct_forces = 7;
  config.energy_per_atom = false;
  config.energy_penalty.kind = PenaltyConfig::Kind::mae;
  config.forces_penalty.kind = PenaltyConfig::Kind::rmse;
  Labels labels;
  labels.first_atom = {0, 2, 3};
  labels.weight = {0.5, 2};
  labels.has_energy = {1, 1}, labels.has_forces = {1, 1}, labels.has_stress = {0, 0};
  labels.energy = {1, 5};
  labels.forces = {Vec3{1, 0, 0}, Vec3{}, Vec3{}};
  labels.stress.resize(2);
  Prediction prediction{{2, 8}, {Vec3{}, Vec3{0, 2, 0}, Vec3{0, 3, 4}}, {}, {Vec3{1, 0, 0}, Vec3{}, Vec3{0, 0, 2}}};
  LossDerivative derivative;
  const LossTerms terms = evaluate_loss(config, loss_counts(labels), labels, prediction, derivative);
  EXPECT_DOUBLE_EQ(terms.energy, 2 * (0.5 * 1 + 2 * 3) / 2);
  EXPECT_DOUBLE_EQ(terms.forces, 30 * (0.5 * std::sqrt(5.0 / 2) + 2 * 5) / 2);
  EXPECT_DOUBLE_EQ(terms.direct_forces, 7 * 2 * 2 / 2.0);
  EXPECT_DOUBLE_EQ(terms.total(), terms.energy + terms.forces + terms.direct_forces);
  EXPECT_DOUBLE_EQ(derivative.energy[1], 2);
  EXPECT_DOUBLE_EQ(derivative.forces[2][1], 30 * 3.0 / 5);
  EXPECT_DOUBLE_EQ(derivative.direct_forces[2][2], 7);
  EXPECT_EQ(derivative.direct_forces[0], Vec3{});  // no error: the slope of the root is taken as zero
}

TEST(Loss, DerivativeIsThatOfTheLoss) {
  for (const LossCase& c : loss_cases) {
    SCOPED_TRACE(c.name);
    const Labels labels = mixed_batch().labels;
    Prediction prediction{labels.energy, labels.forces, labels.stress};
    SplitMix random(3);
    const auto noise = [&] { return (static_cast<double>(random.below(1000)) - 499.5) / 2000; };
    for (double& e : prediction.energy) e += noise();
    for (Vec3& f : prediction.forces) f = f + Vec3{noise(), noise(), noise()};
    for (Mat3& s : prediction.stress)
      for (Vec3& row : s) row = row + Vec3{noise() / 50, noise() / 50, noise() / 50};
    LossDerivative derivative, scratch;
    const auto loss = [&] {
      return evaluate_loss(loss_config(c), loss_counts(labels), labels, prediction, scratch).total();
    };
    evaluate_loss(loss_config(c), loss_counts(labels), labels, prediction, derivative);
    const auto check = [&](double& x, double expected) {
      const double at = x, h = 1e-6;
      x = at + h;
      const double up = loss();
      x = at - h;
      const double down = loss();
      x = at;
      EXPECT_NEAR((up - down) / (2 * h), expected, 1e-6 * (1 + std::abs(expected)));
    };
    for (int g = 0; g < labels.graphs(); ++g) {
      check(prediction.energy[g], derivative.energy[g]);
      for (int k = 0; k < 9; ++k) check(prediction.stress[g][k / 3][k % 3], derivative.stress[g][k / 3][k % 3]);
    }
    for (std::size_t i = 0; i < prediction.forces.size(); ++i)
      for (int k = 0; k < 3; ++k) check(prediction.forces[i][k], derivative.forces[i][k]);
  }
}

/// The whole chain: graph, potential, loss, tangent of the edges, gradient, against a finite difference over the
/// parameters.
TEST(Loss, GradientByTheParametersIsExact) {
  for (const LossCase& c : loss_cases) {
    SCOPED_TRACE(c.name);
    ModelRecord record = test::toy_record();
    const Batch batch = mixed_batch();
    const LossCounts counts = loss_counts(batch.labels);
    ToyPotential potential(record);
    LossPass pass(potential, loss_config(c));
    std::vector<double> gradient(record.parameters.size(), 0.0);
    const LossTerms terms = pass.add_gradient(batch, counts, gradient);
    EXPECT_GT(terms.energy, 0);
    EXPECT_GT(terms.forces, 0);
    EXPECT_GT(terms.stress, 0);
    std::vector<double> x = record.parameters.values();
    const auto loss = [&] {
      ErrorSums errors;
      potential.set_parameters(x);
      return pass.measure(batch, counts, errors).total();
    };
    double scale = 0;
    for (double g : gradient) scale = std::max(scale, std::abs(g));
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double at = x[k], h = 1e-5;
      x[k] = at + h;
      const double up = loss();
      x[k] = at - h;
      const double down = loss();
      x[k] = at;
      EXPECT_NEAR((up - down) / (2 * h), gradient[k], 1e-7 * scale) << "parameter " << k;
    }
  }
}

}  // namespace
}  // namespace isotrope
