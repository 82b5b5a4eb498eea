// SPDX-License-Identifier: MIT
// The pair potential that a fresh model starts from: labels in the span of its basis are recovered, and what it says it
// leaves is what the model leaves.
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"
#include "geometry/forces.hpp"
#include "models/potential.hpp"
#include "support/memory_source.hpp"
#include "support/random_structure.hpp"
#include "train/pair_fit.hpp"

namespace isotrope {
namespace {

ModelRecord fresh_model(bool pair_energy = true) {
  const nlohmann::json config{
      {"architecture", "mace"}, {"cutoff", 3.5},     {"hidden_irreps", "4x0e"}, {"l_max", 1},
      {"num_bessel", 6},        {"radial_mlp", {8}}, {"correlation", 1},        {"pair_energy", pair_energy}};
  return create_model(config, {{1, 8}, {-13.5, -430.25}, 9.5, 1.25}, 1);
}

/// The pair term alone.
ModelRecord without_network(ModelRecord record) {
  for (const auto& entry : record.parameters.entries()) {
    if (entry.name == "pair.weight") continue;
    for (double& value : record.parameters[entry.name]) value = 0;
  }
  return record;
}

/// Energy (with E0) and forces of the model.
Structure labelled(Structure s, const ModelRecord& record) {
  const auto potential = make_potential(record, Precision::double_precision);
  const SpeciesMap species(record.elements);
  const Graph graph = make_graph(s, species, record.cutoff);
  NoHalo halo;
  Result result;
  potential->evaluate(graph, halo, *potential->make_workspace(), result);
  s.energy = 0;
  for (int i = 0; i < s.size(); ++i) {
    s.energy = *s.energy + result.atom_energy[i] + record.atomic_energies[species(s.numbers[i])];
  }
  assemble_forces(graph, result.dE_dr, s.forces);
  return s;
}

/// Weights of the pairs H-H, H-O = O-H and O-O.
ModelRecord teacher() {
  ModelRecord record = without_network(fresh_model());
  const auto weights = record.parameters["pair.weight"];
  for (int n = 0; n < 6; ++n) {
    weights[n] = 0.9 - 0.2 * n;
    weights[6 + n] = weights[12 + n] = -0.5 + 0.3 * n;
    weights[18 + n] = 0.1 + 0.25 * n;
  }
  return record;
}

std::vector<Structure> structures(int count) {
  testing_support::Generator generator(6);
  const ModelRecord labels = teacher();
  std::vector<Structure> all;
  while (static_cast<int>(all.size()) < count) {
    const Mat3 cell = testing_support::random_cell(generator, 4, 6);
    const Structure s = testing_support::random_structure(generator, 8, cell, {all.size() % 2 == 0, true, true});
    const Graph graph = make_graph(s, SpeciesMap(labels.elements), labels.cutoff);
    bool apart = true;
    for (const Vec3& r : graph.r) apart = apart && dot(r, r) > 0.5;
    if (apart) all.push_back(labelled(s, labels));
  }
  return all;
}

PairFit fit(ModelRecord& record, const std::vector<Structure>& all) {
  const SampleSet set = all.empty() ? SampleSet{} : test::set_of(all, record.cutoff);
  return fit_pair_energy(record, set, {}, test::alone());
}

double left_by(const ModelRecord& record, const std::vector<Structure>& all) {
  double squares = 0, components = 0;
  for (const Structure& s : all) {
    if (s.forces.empty()) continue;
    const Structure predicted = labelled(s, without_network(record));
    for (int i = 0; i < predicted.size(); ++i) {
      const Vec3 error = predicted.forces[i] - s.forces[i];
      squares += dot(error, error);
      components += 3;
    }
  }
  return std::sqrt(squares / components);
}

TEST(PairFit, RecoversAPairPotential) {
  const auto all = structures(20);
  ModelRecord record = fresh_model();
  const PairFit found = fit(record, all);
  EXPECT_TRUE(found.fitted);
  EXPECT_GT(found.force_rms_before, 0.1);
  EXPECT_LE(found.force_rms_after, 1e-5 * found.force_rms_before);  // the ridge leaves something
  EXPECT_LE(left_by(record, all), 1e-5 * found.force_rms_before);
  const ModelRecord fitted = without_network(record);
  for (const Structure& s : all) {
    EXPECT_LE(std::abs(*labelled(s, fitted).energy - *s.energy), 1e-4);
  }
}

TEST(PairFit, SaysWhatTheModelLeaves) {
  auto all = structures(20);
  SplitMix random(1);
  for (Structure& s : all) {
    for (Vec3& f : s.forces) f = f + Vec3{0.3 * random.normal(), 0.3 * random.normal(), 0.3 * random.normal()};
  }
  all[3].forces.clear();  // labels may be missing
  all[4].energy.reset();
  ModelRecord record = fresh_model();
  const PairFit found = fit(record, all);
  EXPECT_GT(found.force_rms_after, 0.2);
  EXPECT_LT(found.force_rms_after, 0.4);
  EXPECT_EQ(record.hyperparameters["scale"].get<double>(), found.force_rms_after);
  EXPECT_LE(std::abs(left_by(record, all) - found.force_rms_after), 1e-10);
  const auto weights = record.parameters["pair.weight"];
  for (int n = 0; n < 6; ++n) EXPECT_EQ(weights[6 + n], weights[12 + n]);  // H-O is O-H
}

void expect_untouched(ModelRecord record, const std::vector<Structure>& all) {
  const ModelRecord before = record;
  EXPECT_FALSE(fit(record, all).fitted);
  EXPECT_EQ(record.parameters.values(), before.parameters.values());
  EXPECT_EQ(record.hyperparameters, before.hyperparameters);
}

TEST(PairFit, LeavesTheModelWhereThereIsNothingToFit) {
  const auto all = structures(3);
  expect_untouched(fresh_model(false), all);
  expect_untouched(fresh_model(), {});
  auto zero = all, energies = all, lonely = all;
  for (Structure& s : zero) s.forces.assign(s.size(), Vec3{});
  for (Structure& s : energies) s.forces.clear();
  for (Structure& s : lonely) {
    s = Structure{};
    s.numbers = {1};
    s.positions = {Vec3{}};
    s.energy = -13.4;
    s.forces = {Vec3{}};
  }
  expect_untouched(fresh_model(), zero);
  expect_untouched(fresh_model(), energies);
  expect_untouched(fresh_model(), lonely);
}

}  // namespace
}  // namespace isotrope
