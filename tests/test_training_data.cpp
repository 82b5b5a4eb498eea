// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/error.hpp"
#include "support/training_fixtures.hpp"
#include "train/batches.hpp"

namespace isotrope {
namespace {

using test::file;

template <class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// The message of a training set with these structures and a force weight of 100.
std::string refusal(std::vector<Structure> structures, DataConfig config = {}, LossConfig loss = {}) {
  return message_of([&] { make_training_data(config, loss, file("set.h5", structures), {}, {}); });
}

// --- batches ---------------------------------------------------------------------------------------------------------

const std::vector<int> sizes{3, 9, 1, 4, 40, 5, 6, 2, 2, 8, 7, 3, 3};

TEST(Batches, EveryStructureOnceAnEpochAndWithinTheBound) {
  for (const BatchSize bound : {BatchSize{4, 0}, BatchSize{0, 12}}) {
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      std::multiset<int> seen;
      for (const Indices& batch : plan_epoch(sizes, bound, 7, epoch)) {
        int atoms = 0;
        for (int i : batch) atoms += sizes[i];
        EXPECT_TRUE(bound.structures == 0 || batch.size() <= 4);
        EXPECT_TRUE(bound.atoms == 0 || batch.size() == 1 || atoms <= 12);
        seen.insert(batch.begin(), batch.end());
      }
      std::vector<int> all(sizes.size());
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(std::vector<int>(seen.begin(), seen.end()), all);
    }
  }
}

TEST(Batches, AreAFunctionOfSeedAndEpoch) {
  const BatchSize bound{4, 0};
  EXPECT_EQ(plan_epoch(sizes, bound, 7, 2), plan_epoch(sizes, bound, 7, 2));
  EXPECT_NE(plan_epoch(sizes, bound, 7, 2), plan_epoch(sizes, bound, 7, 3));
  EXPECT_NE(plan_epoch(sizes, bound, 7, 2), plan_epoch(sizes, bound, 8, 2));
  // A stored order (from a separate implementation of SplitMix64 and Fisher-Yates in Python): runs must be the same on
  // every platform.
  EXPECT_EQ(shuffled(8, 7, 2), (std::vector<int>{6, 0, 5, 4, 2, 7, 1, 3}));
}

TEST(Batches, TheRanksTogetherHaveTheBatch) {
  for (const Indices& batch : plan_epoch(sizes, {0, 30}, 7, 0)) {
    for (int ranks : {1, 2, 3, 20}) {
      std::multiset<int> together;
      std::vector<int> loads;
      for (int rank = 0; rank < ranks; ++rank) {
        const Indices mine = share_of(batch, sizes, rank, ranks);
        together.insert(mine.begin(), mine.end());
        loads.push_back(0);
        for (int i : mine) loads.back() += sizes[i];
      }
      EXPECT_EQ(together, std::multiset<int>(batch.begin(), batch.end()));
      const int largest =
          sizes[*std::max_element(batch.begin(), batch.end(), [](int a, int b) { return sizes[a] < sizes[b]; })];
      EXPECT_LE(*std::max_element(loads.begin(), loads.end()) - *std::min_element(loads.begin(), loads.end()), largest);
    }
  }
}

void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.owned, b.owned);
  EXPECT_EQ(a.total, b.total);
  EXPECT_EQ(a.graphs, b.graphs);
  EXPECT_EQ(a.species, b.species);
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.neighbour, b.neighbour);
  EXPECT_EQ(a.r, b.r);
  EXPECT_EQ(a.graph, b.graph);
  EXPECT_EQ(a.volume, b.volume);
  EXPECT_EQ(a.charge, b.charge);
  EXPECT_EQ(a.multiplicity, b.multiplicity);
}

TEST(Batches, JoinedCachedAndPrefetchedGraphsAreTheSame) {
  auto structures = test::molecules(4, 1);
  for (Structure& s : test::crystals(3, 2)) structures.push_back(s);
  structures[1].charge = 1;
  const TrainingData data = test::in_memory(structures);
  const SpeciesMap species({1, 8});
  BatchLoader cached(data.train, species, 3.0), fresh(data.train, species, 3.0, 1);
  EXPECT_TRUE(cached.cached());
  EXPECT_FALSE(fresh.cached());
  const Indices indices{5, 1, 0, 6}, next{2, 4};
  const Batch expected = cached.load(indices);
  EXPECT_EQ(expected.graph.graphs, 4);
  EXPECT_EQ(expected.labels.graphs(), 4);
  EXPECT_EQ(expected.labels.forces.size(), static_cast<std::size_t>(expected.graph.owned));
  expect_equal(expected.graph, fresh.load(indices).graph);
  fresh.prefetch(next);
  expect_equal(cached.load(next).graph, fresh.load(next).graph);
  fresh.prefetch(next);
  expect_equal(expected.graph, fresh.load(indices).graph);  // not what was announced
  EXPECT_EQ(cached.load({}).graph.owned, 0);
}

// --- labels ----------------------------------------------------------------------------------------------------------

TEST(Labels, MissingForcesAreRefusedUnlessAllowed) {
  auto structures = test::molecules(5, 1);
  structures[1].forces.clear();
  structures[3].forces.clear();
  const std::string text =
      "set.h5: no forces in 2 of 5 structures (the first is structure 1), but loss.forces is 100; set loss.forces: 0, "
      "or "
      "data.allow_missing: [forces] to train those structures on their other labels";
  EXPECT_EQ(refusal(structures), text);
  DataConfig allowed;
  allowed.missing_forces = true;
  EXPECT_EQ(refusal(structures, allowed), "no error");
  LossConfig without;
  without.forces = 0;
  EXPECT_EQ(refusal(structures, {}, without), "no error");
  for (Structure& s : structures) s.forces.clear();
  EXPECT_EQ(
      refusal(structures, allowed),
      "set.h5: no forces in 5 of 5 structures (the first is structure 0), but loss.forces is 100; set loss.forces: 0");
}

TEST(Labels, MissingEnergyAndStressLikewise) {
  auto structures = test::molecules(3, 1);
  structures[2].energy.reset();
  EXPECT_EQ(
      refusal(structures),
      "set.h5: no energy in 1 of 3 structures (the first is structure 2), but loss.energy is 1; set loss.energy: 0, or "
      "data.allow_missing: [energy] to train those structures on their other labels");
  LossConfig stress;
  stress.stress = 10;
  EXPECT_EQ(
      refusal(test::molecules(3, 1), {}, stress),
      "set.h5: no stress in 3 of 3 structures (the first is structure 0), but loss.stress is 10; set loss.stress: 0");
  EXPECT_EQ(refusal(test::crystals(3, 1), {}, stress), "no error");
}

TEST(Labels, NonsenseIsRefused) {
  auto structures = test::molecules(2, 1);
  structures[1].forces[2][1] = std::nan("");
  EXPECT_EQ(refusal(structures),
            "set.h5: structure 1: expected finite numbers, found NaN or infinity in its forces (atom 2); remove or "
            "repair that "
            "structure");
  structures = test::molecules(1, 1);
  structures[0].energy = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refusal(structures),
            "set.h5: structure 0: expected finite numbers, found NaN or infinity in its energy; remove or repair that "
            "structure");
  structures = test::molecules(1, 1);
  structures[0].stress = Mat3{};
  EXPECT_EQ(
      refusal(structures),
      "set.h5: structure 0: it has a stress but is not periodic in all three directions, where stress has no meaning; "
      "remove the label");
  EXPECT_EQ(refusal({}), "set.h5: expected structures, found an empty data set");
  EXPECT_EQ(refusal({test::isolated_atom(1, -13.6)}),
            "set.h5: no structure is left to train on, all are isolated atoms");
  DataConfig weights;
  weights.weights["molecul"] = 2;
  EXPECT_EQ(refusal(test::molecules(1, 1), weights),
            "data.weights names the config_type 'molecul', but the training files have only: molecule");
}

TEST(Labels, WeightsMultiply) {
  auto structures = test::molecules(2, 1);
  structures[0].weight = 3;
  structures[1].config_type = "other";
  DataConfig config;
  config.weights["molecule"] = 0.5;
  const TrainingData data = make_training_data(config, {}, file("set.h5", structures), {}, {});
  EXPECT_EQ(data.train[0].weight, 1.5);
  EXPECT_EQ(data.train[1].weight, 1);
}

TEST(Split, IsDisjointCompleteAndKeepsGroups) {
  auto structures = test::molecules(20, 1);
  DataConfig config;
  config.validation_fraction = 0.25;
  TrainingData data = make_training_data(config, {}, file("set.h5", structures), {}, {});
  EXPECT_EQ(data.train.size(), 15u);
  std::set<int> seen;
  for (const auto* part : {&data.train, &data.validation})
    for (const Sample& sample : *part) EXPECT_TRUE(seen.insert(sample.index).second);
  EXPECT_EQ(seen.size(), 20u);

  for (int i = 0; i < 20; ++i) structures[i].group = std::string(1, static_cast<char>('a' + i / 5));
  EXPECT_EQ(refusal(structures, config),
            "set.h5: its structures belong to groups (trajectories), which a random split would cut; say "
            "data.validation.by: group to keep them whole, or by: structure");
  config.split_is_stated = config.validation_by_group = true;
  data = make_training_data(config, {}, file("set.h5", structures), {}, {});
  ASSERT_EQ(data.validation.size(), 5u);
  for (const Sample& sample : data.validation)
    EXPECT_EQ(sample.structure.group, data.validation.front().structure.group);
  config.validation_fraction = 0.01;
  EXPECT_EQ(refusal(structures, config),
            "data.validation.fraction 0.01 of 4 groups leaves the training or the validation set empty");
}

// --- atomic reference energies ---------------------------------------------------------------------------------------

AtomicEnergies energies_of(const DataConfig& config, const TrainingData& data) {
  return find_atomic_energies(config, data, elements_of(data.train));
}

TEST(AtomicEnergies, IsolatedAtomsAreRecognisedAndKeptOut) {
  auto structures = test::molecules(3, 1);
  structures.push_back(test::isolated_atom(1, -13.5));
  structures.push_back(test::isolated_atom(8, -430.5));
  Structure crystal = test::isolated_atom(8, -431);  // one atom in a cell is a crystal
  crystal.periodic = {true, true, true};
  crystal.cell = {Vec3{3, 0, 0}, Vec3{0, 3, 0}, Vec3{0, 0, 3}};
  crystal.forces = {Vec3{}};
  structures.push_back(crystal);
  DataConfig config;
  config.atomic_energies = DataConfig::AtomicEnergies::training_set;
  TrainingData data = make_training_data(config, {}, file("set.h5", structures), {}, {});
  EXPECT_EQ(data.train.size(), 4u);
  EXPECT_EQ(data.isolated.size(), 2u);
  EXPECT_EQ(energies_of(config, data).energies, (std::vector<double>{-13.5, -430.5}));
  DataConfig trained = config;
  trained.train_on_isolated_atoms = true;
  structures[3].forces = structures[4].forces = {Vec3{}};
  EXPECT_EQ(make_training_data(trained, {}, file("set.h5", structures), {}, {}).train.size(), 6u);
}

TEST(AtomicEnergies, FileAndTable) {
  DataConfig config;
  config.atomic_energies = DataConfig::AtomicEnergies::file;
  config.isolated_atoms = "atoms.h5";
  const auto structures = test::molecules(3, 1);
  const auto with = [&](std::vector<Structure> atoms) {
    return message_of([&] {
      energies_of(config, make_training_data(config, {}, file("set.h5", structures), {}, file("atoms.h5", atoms)));
    });
  };
  const Structure h = test::isolated_atom(1, -13.5), o = test::isolated_atom(8, -430.5);
  EXPECT_EQ(with({h, o}), "no error");
  EXPECT_EQ(with({h, o, h}), "no error");
  EXPECT_EQ(with({h}),
            "atoms.h5 has no isolated neutral atom of O, which the training structures contain; add it, or set "
            "data.isolated_atoms: least_squares");
  Structure ion = o;
  ion.charge = -1;
  EXPECT_EQ(with({h, ion}),
            "atoms.h5 has no isolated neutral atom of O, which the training structures contain; add it, or set "
            "data.isolated_atoms: least_squares");
  EXPECT_EQ(with({h, o, test::isolated_atom(1, -13)}),
            "atoms.h5: structure 2: a second isolated H with another energy (-13 eV) than that of structure 0 (-13.5 "
            "eV); keep "
            "the one that E0 is to be");
  Structure bare = h;
  bare.energy.reset();
  EXPECT_EQ(with({bare, o}), "atoms.h5: structure 0: expected the energy of an isolated atom, found no energy");

  config.atomic_energies = DataConfig::AtomicEnergies::table;
  config.e0_table["H"] = -13;
  const TrainingData data = make_training_data(config, {}, file("set.h5", structures), {}, {});
  EXPECT_EQ(message_of([&] { energies_of(config, data); }),
            "data.isolated_atoms has no energy for O, which the training structures contain; add 'O: <eV>'");
  config.e0_table["O"] = -431;
  EXPECT_EQ(energies_of(config, data).energies, (std::vector<double>{-13, -431}));
}

TEST(AtomicEnergies, LeastSquaresFindsExactOnesAndSaysWhereItCannot) {
  auto structures = test::molecules(12, 1);
  for (Structure& s : structures) {
    s.energy = 0;
    for (int z : s.numbers) *s.energy += z == 1 ? -13.25 : -430.75;
  }
  const DataConfig config;  // least squares
  const AtomicEnergies fit = energies_of(config, test::in_memory(structures));
  EXPECT_NEAR(fit.energies[0], -13.25, 1e-9);
  EXPECT_NEAR(fit.energies[1], -430.75, 1e-9);
  EXPECT_LE(fit.residual, 1e-10);
  EXPECT_TRUE(fit.unique);
  const AtomicEnergies single = energies_of(config, test::in_memory({structures[0]}));
  EXPECT_FALSE(single.unique);
  EXPECT_LE(single.residual, 1e-10);
}

TEST(Statistics, ForcesNeighboursElements) {
  auto structures = test::molecules(1, 1);
  Structure& s = structures[0];
  s.numbers = {1, 8, 1};
  s.positions = {Vec3{0, 0, 0}, Vec3{1, 0, 0}, Vec3{2, 0, 0}};
  s.forces = {Vec3{1, 0, 0}, Vec3{0, -2, 0}, Vec3{}};
  const TrainingData data = test::in_memory(structures);
  EXPECT_DOUBLE_EQ(force_rms(data.train), std::sqrt(5.0 / 9));
  EXPECT_DOUBLE_EQ(average_neighbours(data.train, 1.5), 4.0 / 3);
  EXPECT_EQ(elements_of(data.train), (std::vector<int>{1, 8}));
}

}  // namespace
}  // namespace isotrope
