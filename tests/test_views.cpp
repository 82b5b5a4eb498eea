// SPDX-License-Identifier: MIT
// Training of a model that is not equivariant by construction: rotated views, the latent loss, whole runs.
#include "train/views.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/log.hpp"
#include "geometry/forces.hpp"
#include "support/memory_source.hpp"
#include "support/message_of.hpp"
#include "support/training_fixtures.hpp"
#include "train/loss_pass.hpp"
#include "train/trainer.hpp"

namespace isotrope {
namespace {

using testing::message_of;

Batch batch_of(const std::vector<Structure>& structures, double cutoff) {
  Batch batch;
  std::vector<const Structure*> pointers;
  for (const Structure& s : structures) {
    batch.labels.append(s, 1);
    pointers.push_back(&s);
  }
  batch.graph = make_graph(pointers, SpeciesMap({1, 8}), cutoff);
  return batch;
}

double largest(const std::vector<Vec3>& a, const std::vector<Vec3>& b) {
  double most = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    for (int k = 0; k < 3; ++k) {
      const double d = std::abs(a[i][k] - b[i][k]);
      if (!(d <= most)) most = d;
    }
  }
  return most;
}

// ---- views ---------------------------------------------------------------------------------------------------------

/// For an equivariant potential labels that were turned with the batch stay right: energies, forces and stress.
TEST(Views, LabelsTurnWithTheBatch) {
  std::vector<Structure> structures = test::crystals(2, 5);
  structures.push_back(test::molecules(1, 6)[0]);
  Batch batch = batch_of(structures, test::toy_cutoff);
  const test::ToyPotential teacher = test::teacher();
  const std::vector<Vec3> before = batch.graph.position;
  rotate_batch(batch, random_rotations(batch, {}, 3, 17, 1));
  EXPECT_GT(largest(batch.graph.position, before), 0.1);
  NoHalo halo;
  Result result;
  Prediction prediction;
  teacher.evaluate(batch.graph, halo, *teacher.make_workspace(), result);
  assemble_prediction(teacher.info(), batch.graph, result, prediction);
  EXPECT_LE(largest(prediction.forces, batch.labels.forces), 1e-12);
  for (int g = 0; g < 3; ++g) {
    EXPECT_NEAR(prediction.energy[g], batch.labels.energy[g], 1e-10);
    if (!batch.labels.has_stress[g]) continue;
    for (int k = 0; k < 9; ++k)
      EXPECT_NEAR(prediction.stress[g][k / 3][k % 3], batch.labels.stress[g][k / 3][k % 3], 1e-12);
  }
}

TEST(Views, RotationsDependOnSeedStepAndStructureAlone) {
  const std::vector<Structure> structures = test::molecules(3, 8);
  const Batch all = batch_of(structures, 0), last = batch_of({structures[2]}, 0);
  const EquivarianceConfig each;
  const auto a = random_rotations(all, each, 7, 100, 2);
  EXPECT_EQ(a, random_rotations(all, each, 7, 100, 2));
  EXPECT_EQ(a[2], random_rotations(last, each, 7, 100, 2)[0]);  // whatever else is on the rank
  EXPECT_NE(a[0], a[1]);
  EXPECT_NE(a[0], random_rotations(all, each, 7, 101, 2)[0]);
  EXPECT_NE(a[0], random_rotations(all, each, 8, 100, 2)[0]);
  EXPECT_NE(a[0], random_rotations(all, each, 7, 100, 1)[0]);
  EquivarianceConfig one;
  one.rotation_per_batch = true;
  const auto b = random_rotations(all, one, 7, 100, 2);
  EXPECT_EQ(b[0], b[1]);
  EXPECT_NE(b[0], random_rotations(all, one, 7, 101, 2)[0]);
}

TEST(Views, SecondViewIsTheFirstTurned) {
  const std::vector<Structure> structures = test::molecules(2, 9);
  const Batch plain = batch_of(structures, 0);
  EquivarianceConfig config;
  EXPECT_EQ(make_views(plain, config, 1, 2).batch.graph.position, plain.graph.position);
  EXPECT_TRUE(make_views(plain, config, 1, 2).rotations.empty());
  config.latent_weight = 1;
  const Views views = make_views(plain, config, 1, 2);
  ASSERT_EQ(views.batch.graph.graphs, 4);
  ASSERT_EQ(views.rotations.size(), 2U);
  const int n = plain.graph.owned;
  for (int i = 0; i < n; ++i) {
    const Mat3& rotation = views.rotations[plain.graph.graph[i]];
    EXPECT_EQ(views.batch.graph.position[i], plain.graph.position[i]);
    EXPECT_EQ(views.batch.graph.position[n + i], rotation * plain.graph.position[i]);
    EXPECT_EQ(views.batch.labels.forces[n + i], rotation * plain.labels.forces[i]);
  }
  EXPECT_EQ(loss_counts(views.batch.labels).energies, 4);
  config.loss_on_both_views = false;
  EXPECT_EQ(loss_counts(make_views(plain, config, 1, 2).batch.labels).energies, 2);
  config.augmentation = true;  // the first view is turned too, and the second from there
  const Views turned = make_views(plain, config, 1, 2);
  EXPECT_GT(
      largest({turned.batch.graph.position.begin(), turned.batch.graph.position.begin() + n}, plain.graph.position),
      0.1);
  for (int i = 0; i < n; ++i) {
    EXPECT_EQ(turned.batch.graph.position[n + i],
              turned.rotations[plain.graph.graph[i]] * turned.batch.graph.position[i]);
  }
  EXPECT_TRUE(make_views(Batch{}, config, 1, 2).rotations.empty());  // a rank without structures
}

// ---- the latent loss -----------------------------------------------------------------------------------------------

ModelRecord small_model(const char* forces, int latent_hidden = 7, bool per_layer = false) {
  const DataStatistics statistics{{1, 8}, {-13.6, -432.1}, 0, 1.2, {0}, {1}};
  return create_model({{"architecture", "transip"},
                       {"width", 12},
                       {"heads", 1},
                       {"layers", 2},
                       {"hidden", 9},
                       {"forces", forces},
                       {"latent_hidden", latent_hidden},
                       {"latent_per_layer", per_layer},
                       {"wavelengths", {1.5, 9.0}}},
                      statistics, 4);
}

/// Every parameter, by finite differences of the whole loss: energies, forces and features of both views.
TEST(LatentLoss, GradientByTheParametersIsExact) {
  for (const char* forces : {"gradient", "direct"}) {
    for (const LatentKind kind : {LatentKind::pooled, LatentKind::per_atom, LatentKind::per_layer}) {
      for (const bool both : {true, false}) {
        SCOPED_TRACE(fmt::format("{} forces, kind {}, losses on both views {}", forces, static_cast<int>(kind), both));
        const bool per_layer = kind == LatentKind::per_layer;
        ModelRecord record = small_model(forces, 7, per_layer);
        SplitMix random(2);
        for (const char* bias : {"layer.0.latent.1.bias", "layer.1.latent.1.bias"})
          for (double& x : record.parameters[per_layer ? bias : "latent.1.bias"]) x = 0.3 * random.normal();
        EquivarianceConfig config;
        config.latent_weight = 0.8;
        config.latent = kind;
        config.loss_on_both_views = both;
        LossConfig loss_config;
        loss_config.energy = 3, loss_config.forces = 40;
        const Batch batch = batch_of(test::molecules(2, 11), 0);
        const Views views = make_views(batch, config, 5, 6);
        const LossCounts counts = loss_counts(batch.labels);
        const auto potential = make_potential(record, Precision::double_precision);
        LossPass pass(*potential, loss_config, config, record.parameters);
        std::vector<double> x = record.parameters.values(), gradient(x.size(), 0.0), unused(x.size(), 0.0);
        pass.add_gradient(views, counts, x, gradient);
        const auto loss = [&] {
          potential->set_parameters(x);
          return pass.add_gradient(views, counts, x, unused).total();
        };
        double scale = 0;
        for (double g : gradient) scale = std::max(scale, std::abs(g));
        for (std::size_t k = 0; k < x.size(); k += 7) {
          const double at = x[k], h = 1e-5;
          x[k] = at + h;
          const double up = loss();
          x[k] = at - h;
          const double down = loss();
          x[k] = at;
          EXPECT_NEAR((up - down) / (2 * h), gradient[k], 2e-7 * scale) << "parameter " << k;
        }
      }
    }
  }
}

TEST(LatentLoss, NeedsItsNetwork) {
  const ModelRecord record = small_model("gradient", 0);
  const auto potential = make_potential(record, Precision::double_precision);
  EquivarianceConfig config;
  config.latent_weight = 1;
  EXPECT_EQ(
      message_of([&] { LossPass(*potential, {}, config, record.parameters); }),
      "equivariance.latent_weight: the model has no network for the latent loss: set model.latent_hidden, the width of "
      "its hidden layer (architecture transip)");
  // One network where every layer wants its own, or the other way round.
  for (const bool per_layer : {false, true}) {
    const ModelRecord other = small_model("gradient", 7, per_layer);
    config.latent = per_layer ? LatentKind::pooled : LatentKind::per_layer;
    EXPECT_EQ(
        message_of([&] { LossPass(*potential, {}, config, other.parameters); }),
        "equivariance.latent: per_layer and model.latent_per_layer: true, a network for every layer, go together: "
        "set both or none");
  }
}

// ---- whole runs ----------------------------------------------------------------------------------------------------

TrainConfig run_config(const std::string& output, std::int64_t steps) {
  TrainConfig config;
  config.file = "config.yaml";
  config.data.train = {{"train.h5", ""}};
  config.data.validation = {{"validation.h5", ""}};
  config.data.atomic_energies = DataConfig::AtomicEnergies::table;
  config.data.e0_table = {{"H", -13.6}, {"O", -432.1}};
  config.model = {{"architecture", "transip"}, {"width", 24}, {"heads", 2}, {"layers", 1}, {"hidden", 16},
                  {"latent_hidden", 12}};
  config.equivariance.latent_weight = 0.5;
  config.optimiser.learning_rate = 0.005;
  config.batch_structures = 4;
  config.steps = steps;
  config.seed = 5;
  config.validate_every = {7, Interval::Unit::steps};
  config.output = output;
  return config;
}

std::vector<Structure> neutral(std::vector<Structure> structures) {
  for (Structure& s : structures) {
    int electrons = 0;
    for (const int z : s.numbers) electrons += z;
    s.charge = 0;
    s.multiplicity = 1 + electrons % 2;
  }
  return structures;
}

test::Files files(std::vector<Structure> train = neutral(test::molecules(12, 3)),
                  std::vector<Structure> validation = neutral(test::molecules(4, 4))) {
  return {{"train.h5", std::move(train)}, {"validation.h5", std::move(validation)}};
}

TrainingOutcome run(const TrainConfig& config, bool resume = false, test::Files data = files()) {
  static const ModelFactory models{create_model, make_potential};
  set_verbosity(Verbosity::quiet);
  RunOptions options;
  options.resume = resume;
  return train(config, options, test::alone(), models, test::open_from(std::move(data)));
}

TEST(TransipTraining, ResumedEqualsUninterruptedBitForBit) {
  test::TemporaryFolder folder;
  const TrainingOutcome whole = run(run_config(folder / "whole.h5", 10));
  run(run_config(folder / "parts.h5", 5));
  const TrainingOutcome parts = run(run_config(folder / "parts.h5", 10), true);
  EXPECT_EQ(parts.state.parameters, whole.state.parameters);
  TrainConfig other = run_config(folder / "other.h5", 10);
  other.equivariance.augmentation = true;
  EXPECT_NE(run(other).state.parameters, whole.state.parameters);
  EXPECT_EQ(whole.record.hyperparameters["multiplicities"], (std::vector<int>{1, 2}));
}

TEST(TransipTraining, RefusesStructuresThatTheModelCannotTake) {
  test::TemporaryFolder folder;
  auto structures = neutral(test::molecules(3, 3)), strange = neutral(test::molecules(1, 4));
  structures[1].charge.reset();
  const TrainConfig config = run_config(folder / "x.h5", 5);
  EXPECT_EQ(message_of([&] { run(config, false, files(structures)); }),
            "train.h5: structure 1 has no charge, which the model reads: `isotrope convert --charge Q --multiplicity "
            "M` gives "
            "structures what they lack");
  strange[0].charge = -4;
  EXPECT_EQ(message_of([&] { run(config, false, files(neutral(test::molecules(3, 3)), strange)); }),
            "validation.h5: structure 0 has the charge -4, which the model does not know: it was made for 0");
  auto crystals = neutral(test::crystals(3, 3));
  EXPECT_EQ(
      message_of([&] { run(config, false, files(crystals)); }),
      "train.h5: structure 0 is periodic: the model (transip) sees whole molecules alone; its local variant, with a "
      "cutoff, takes periodic structures");
}

}  // namespace
}  // namespace isotrope
