// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "support/message_of.hpp"
#include "support/training_fixtures.hpp"
#include "train/statistics.hpp"

namespace isotrope {
namespace {

using testing::message_of;

/// What a run knows before its first step.
struct Found {
  TrainingData data;
  SetStatistics train;
};

Found find(const test::Files& files, DataConfig config = {}, const LossConfig& loss = {}, double cutoff = 3) {
  if (config.train.empty()) config.train = {{"set.h5", ""}};
  Found found{find_training_data(config, loss, test::open_from(files)), {}};
  found.train = scan(found.data.train, cutoff, {}, test::alone());
  scan(found.data.validation, cutoff, {}, test::alone(), found.train.elements());
  return found;
}

Found find(const std::vector<Structure>& structures, const DataConfig& config = {}, const LossConfig& loss = {}) {
  return find(test::Files{{"set.h5", structures}}, config, loss);
}

/// The message of a training set with these structures and a force weight of 100.
std::string refusal(const std::vector<Structure>& structures, const DataConfig& config = {},
                    const LossConfig& loss = {}) {
  return message_of([&] { find(structures, config, loss); });
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
  const SampleSet set = find(structures, config).data.train;
  EXPECT_EQ(set.read_one(0).weight, 1.5);
  EXPECT_EQ(set.read_one(1).weight, 1);
}

/// Places in the file that a fraction of 0.25 takes from 20 structures; worked out by a separate program.
const std::vector<std::uint32_t> validation_of_twenty{1, 9, 10, 15, 17};

TEST(Split, IsDisjointCompleteAndKeepsGroups) {
  auto structures = test::molecules(20, 1);
  DataConfig config;
  config.validation_fraction = 0.25;
  TrainingData data = find(structures, config).data;
  EXPECT_EQ(data.train.size(), 15);
  std::set<std::uint32_t> seen;
  for (const SampleSet* part : {&data.train, &data.validation})
    for (const SampleEntry& entry : part->entries) EXPECT_TRUE(seen.insert(entry.place).second);
  EXPECT_EQ(seen.size(), 20u);
  std::vector<std::uint32_t> chosen;
  for (const SampleEntry& entry : data.validation.entries) chosen.push_back(entry.place);
  EXPECT_EQ(chosen, validation_of_twenty);  // runs and models that were made with a fraction keep their split

  for (int i = 0; i < 20; ++i) structures[i].group = std::string(1, static_cast<char>('a' + i / 5));
  EXPECT_EQ(refusal(structures, config),
            "set.h5: its structures belong to groups (trajectories), which a random split would cut; say "
            "data.validation.by: group to keep them whole, or by: structure");
  config.split_is_stated = config.validation_by_group = true;
  data = find(structures, config).data;
  ASSERT_EQ(data.validation.size(), 5);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(data.validation.read_one(i).structure.group, data.validation.read_one(0).structure.group);
  config.validation_fraction = 0.01;
  EXPECT_EQ(refusal(structures, config),
            "data.validation.fraction 0.01 of 4 groups leaves the training or the validation set empty");
}

TEST(Split, OfTheFileIsTakenByName) {
  auto structures = test::molecules(9, 1);
  for (int i = 0; i < 9; ++i) structures[i].split = i % 3 == 0 ? "validation" : i == 8 ? "test" : "train";
  DataConfig config;
  config.train = {{"set.h5", "train"}, {"more.h5", ""}};
  config.validation = {{"set.h5", "validation"}};
  const test::Files files{{"set.h5", structures}, {"more.h5", test::molecules(2, 3)}};
  const Found found = find(files, config);
  const auto places = [](const SampleSet& set) {
    std::vector<std::string> all;
    for (int i = 0; i < set.size(); ++i) all.push_back(set.where(i));
    return all;
  };
  EXPECT_EQ(places(found.data.train),
            (std::vector<std::string>{"set.h5: structure 1", "set.h5: structure 2", "set.h5: structure 4",
                                      "set.h5: structure 5", "set.h5: structure 7", "more.h5: structure 0",
                                      "more.h5: structure 1"}));
  EXPECT_EQ(places(found.data.validation),
            (std::vector<std::string>{"set.h5: structure 0", "set.h5: structure 3", "set.h5: structure 6"}));
  EXPECT_EQ(found.data.train.read_one(3).structure.positions, structures[5].positions);
  EXPECT_EQ(found.data.hashes.size(), 2u);
  config.train[0].split = "trian";
  EXPECT_EQ(message_of([&] { find(files, config); }),
            "set.h5: its split has no set 'trian', did you mean 'train'? It has: validation, train, test");
  config.train = {{"more.h5", "train"}};
  EXPECT_EQ(message_of([&] { find(files, config); }),
            "more.h5: it has no split, so no set 'train'; convert with --split, or leave `split` out");
}

// --- atomic reference energies ---------------------------------------------------------------------------------------

AtomicEnergies energies_of(const DataConfig& config, const Found& found) {
  return find_atomic_energies(config, found.data, found.train);
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
  const Found found = find(structures, config);
  EXPECT_EQ(found.data.train.size(), 4);
  EXPECT_EQ(found.data.isolated.size(), 2u);
  EXPECT_EQ(energies_of(config, found).energies, (std::vector<double>{-13.5, -430.5}));
  DataConfig trained = config;
  trained.train_on_isolated_atoms = true;
  structures[3].forces = structures[4].forces = {Vec3{}};
  EXPECT_EQ(find(structures, trained).data.train.size(), 6);
}

TEST(AtomicEnergies, FileAndTable) {
  DataConfig config;
  config.atomic_energies = DataConfig::AtomicEnergies::file;
  config.isolated_atoms = "atoms.h5";
  const auto structures = test::molecules(3, 1);
  const auto with = [&](std::vector<Structure> atoms) {
    return message_of([&] {
      energies_of(config, find(test::Files{{"set.h5", structures}, {"atoms.h5", atoms}}, config));
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
  const Found found = find(structures, config);
  EXPECT_EQ(message_of([&] { energies_of(config, found); }),
            "data.isolated_atoms has no energy for O, which the training structures contain; add 'O: <eV>'");
  config.e0_table["O"] = -431;
  EXPECT_EQ(energies_of(config, found).energies, (std::vector<double>{-13, -431}));
}

TEST(AtomicEnergies, LeastSquaresFindsExactOnesAndSaysWhereItCannot) {
  auto structures = test::molecules(12, 1);
  for (Structure& s : structures) {
    s.energy = 0;
    for (int z : s.numbers) *s.energy += z == 1 ? -13.25 : -430.75;
  }
  const DataConfig config;  // least squares
  const AtomicEnergies fit = energies_of(config, find(structures));
  EXPECT_NEAR(fit.energies[0], -13.25, 1e-9);
  EXPECT_NEAR(fit.energies[1], -430.75, 1e-9);
  EXPECT_LE(fit.residual, 1e-10);
  EXPECT_TRUE(fit.unique);
  const AtomicEnergies single = energies_of(config, find(std::vector<Structure>{structures[0]}));
  EXPECT_FALSE(single.unique);
  EXPECT_LE(single.residual, 1e-10);
}

TEST(Statistics, ForcesNeighboursElements) {
  auto structures = test::molecules(1, 1);
  Structure& s = structures[0];
  s.numbers = {1, 8, 1};
  s.positions = {Vec3{0, 0, 0}, Vec3{1, 0, 0}, Vec3{2, 0, 0}};
  s.forces = {Vec3{1, 0, 0}, Vec3{0, -2, 0}, Vec3{}};
  const SetStatistics sums = find(test::Files{{"set.h5", structures}}, {}, {}, 1.5).train;
  EXPECT_DOUBLE_EQ(sums.force_rms(), std::sqrt(5.0 / 9));
  EXPECT_DOUBLE_EQ(sums.average_neighbours(), 4.0 / 3);
  EXPECT_EQ(sums.elements(), (std::vector<int>{1, 8}));
}

/// Against all rows at once, also where elements appear late and rows were folded many times.
TEST(CompositionFit, FoldingLosesNothing) {
  SplitMix random(5);
  const std::vector<int> elements{1, 6, 7, 8, 16, 17};
  std::vector<double> e0{-13.6, -1035.2, -1485.1, -2042.6, -10832.4, -12518.9};
  CompositionFit fit, halves[2];
  std::vector<Structure> all;
  for (int i = 0; i < 3000; ++i) {
    Structure s;
    const int kinds = i < 1000 ? 3 : i < 2900 ? 5 : 6;
    double energy = 0;
    for (int a = 0; a < 5 + static_cast<int>(random.below(60)); ++a) {
      const auto kind = random.below(kinds);
      s.numbers.push_back(elements[kind]);
      energy += e0[kind];
    }
    s.energy = energy + 0.1 * random.normal();
    fit.add(s);
    halves[i % 2].add(s);
    all.push_back(s);
  }
  halves[0].add(halves[1]);
  for (const CompositionFit* each : {&fit, &halves[0]}) {
    const auto solution = each->solve(elements);
    EXPECT_TRUE(solution.unique);
    // The gradient of the sum of squares vanishes at the solution.
    std::vector<double> slope(elements.size(), 0.0);
    double squares = 0;
    for (const Structure& s : all) {
      double left = *s.energy;
      for (const int z : s.numbers)
        left -= solution.energies[std::find(elements.begin(), elements.end(), z) - elements.begin()];
      left /= s.size();
      squares += left * left;
      for (const int z : s.numbers) {
        const auto k = std::find(elements.begin(), elements.end(), z) - elements.begin();
        slope[k] += left / s.size();
      }
    }
    for (const double g : slope) EXPECT_LE(std::abs(g), 1e-8);
    EXPECT_NEAR(each->residual(elements, solution.energies), std::sqrt(squares / 3000), 1e-10);
  }
  EXPECT_FALSE(fit.solve({1, 6, 7, 8, 16, 17, 35}).unique);
}

}  // namespace
}  // namespace isotrope
