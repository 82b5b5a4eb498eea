// SPDX-License-Identifier: MIT
#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "support/memory_source.hpp"
#include "support/toy_potential.hpp"
#include "train/loss_pass.hpp"
#include "train/statistics.hpp"

namespace isotrope::test {

constexpr double toy_cutoff = 3.0;

inline double uniform(SplitMix& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

/// Labels from a toy potential with parameters of its own, so that a model can learn them.
inline void label(Structure& structure, const Potential& teacher) {
  const Graph graph = make_graph(structure, SpeciesMap(teacher.info().elements), teacher.info().cutoff);
  NoHalo halo;
  Result result;
  const auto workspace = teacher.make_workspace();
  teacher.evaluate(graph, halo, *workspace, result);
  Prediction prediction;
  assemble_prediction(teacher.info(), graph, result, prediction);
  structure.energy = prediction.energy[0];
  structure.forces = prediction.forces;
  if (graph.volume[0] > 0) structure.stress = prediction.stress[0];
}

inline ToyPotential teacher() {
  DataStatistics statistics;
  statistics.elements = {1, 8};
  statistics.atomic_energies = {-13.6, -432.1};
  return ToyPotential(ToyPotential::create({{"cutoff", toy_cutoff}}, statistics, 77));
}

/// H and O at random places of a box of 3 Å, at least 0.8 Å apart; between 3 and 7 atoms.
inline std::vector<Structure> molecules(int count, std::uint64_t seed) {
  SplitMix random(seed);
  const ToyPotential labels = teacher();
  std::vector<Structure> all;
  while (static_cast<int>(all.size()) < count) {
    Structure s;
    const int atoms = 3 + static_cast<int>(random.below(5));
    while (s.size() < atoms) {
      const Vec3 at{uniform(random, 0, 3), uniform(random, 0, 3), uniform(random, 0, 3)};
      bool apart = true;
      for (const Vec3& other : s.positions) apart = apart && dot(at - other, at - other) > 0.64;
      if (!apart) continue;
      s.positions.push_back(at);
      s.numbers.push_back(s.size() % 2 == 0 ? 1 : 8);
    }
    s.config_type = "molecule";
    label(s, labels);
    all.push_back(std::move(s));
  }
  return all;
}

/// The same atoms in a triclinic cell, with stress.
inline std::vector<Structure> crystals(int count, std::uint64_t seed) {
  std::vector<Structure> all = molecules(count, seed);
  for (Structure& s : all) {
    s.cell = {Vec3{4.1, 0.2, 0}, Vec3{-0.3, 4.4, 0.1}, Vec3{0.5, 0, 4.2}};
    s.periodic = {true, true, true};
    s.config_type = "crystal";
    label(s, teacher());
  }
  return all;
}

inline Structure isolated_atom(int number, double energy) {
  Structure s;
  s.numbers = {number};
  s.positions = {Vec3{}};
  s.energy = energy;
  s.config_type = "IsolatedAtom";
  return s;
}

/// A model of a set with elements H and O.
inline ModelRecord toy_record(std::vector<int> elements = {1, 8}, std::uint64_t seed = 1) {
  DataStatistics statistics;
  statistics.elements = std::move(elements);
  statistics.atomic_energies.assign(statistics.elements.size(), -1.5);
  return ToyPotential::create({{"cutoff", toy_cutoff}}, statistics, seed);
}

/// Structures of H and O as one batch.
inline Batch batch_of(const std::vector<Structure>& structures, double cutoff = toy_cutoff) {
  const SpeciesMap species({1, 8});
  std::vector<Batch> singles;
  for (const Structure& s : structures) singles.push_back(make_batch({s, "test.h5", 0, s.weight}, species, cutoff));
  std::vector<const Batch*> parts;
  for (const Batch& single : singles) parts.push_back(&single);
  return join(parts);
}

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() / ("isotrope_training_" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace isotrope::test
