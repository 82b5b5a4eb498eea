// SPDX-License-Identifier: MIT
#include "train/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/progress.hpp"
#include "geometry/neighbour_list.hpp"

namespace isotrope {
namespace {

std::vector<double> from_atoms(const std::vector<Sample>& atoms, const std::vector<int>& elements,
                               const std::string& source) {
  std::map<int, const Sample*> found;
  for (const Sample& sample : atoms) {
    const Structure& s = sample.structure;
    if (!is_isolated_atom(s) || s.charge.value_or(0) != 0) continue;
    require(s.energy.has_value(), "{}: expected the energy of an isolated atom, found no energy", sample.where());
    const auto [entry, is_new] = found.try_emplace(s.numbers[0], &sample);
    const double other = *entry->second->structure.energy;
    require(is_new || std::abs(other - *s.energy) < 1e-6,
            "{}: a second isolated {} with another energy ({} eV) than that of structure {} ({} eV); keep the one that "
            "E0 is "
            "to be",
            sample.where(), element_symbol(s.numbers[0]), *s.energy, entry->second->index, other);
  }
  std::vector<double> energies;
  for (int z : elements) {
    require(found.contains(z),
            "{} has no isolated neutral atom of {}, which the training structures contain; add it, or set "
            "data.isolated_atoms: least_squares",
            source, element_symbol(z));
    energies.push_back(*found.at(z)->structure.energy);
  }
  return energies;
}

std::vector<double> from_table(const std::map<std::string, double>& table, const std::vector<int>& elements) {
  std::vector<double> energies;
  for (int z : elements) {
    const auto entry = table.find(element_symbol(z));
    require(entry != table.end(),
            "data.isolated_atoms has no energy for {}, which the training structures contain; add '{}: <eV>'",
            element_symbol(z), element_symbol(z));
    energies.push_back(entry->second);
  }
  return energies;
}

/// What a worker makes of a block.
struct ScannedBlock {
  std::vector<std::pair<int, int>> edges;  ///< sample, edges
  SetStatistics sums;
};

void add(SetStatistics& sums, const Structure& s) {
  for (const int z : s.numbers) sums.atoms_of[z] += 1;
  sums.atoms += s.size();
  for (const Vec3& f : s.forces) sums.force_squares += dot(f, f);
  sums.force_components += 3.0 * static_cast<double>(s.forces.size());
  sums.fit.add(s);
}

void check_known(const Sample& sample, const std::vector<int>& known) {
  if (known.empty()) return;
  for (const int z : sample.structure.numbers)
    if (!std::binary_search(known.begin(), known.end(), z))
      fail("{}: a validation structure has {}, which no training structure has", sample.where(), element_symbol(z));
}

ScannedBlock scan_block(const std::vector<int>& indices, const std::vector<Sample>& samples, double cutoff,
                        const std::vector<int>& known) {
  ScannedBlock block;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    check_known(samples[k], known);
    add(block.sums, samples[k].structure);
    try {
      const NeighbourList list = build_neighbour_list(samples[k].structure, cutoff);
      block.edges.emplace_back(indices[k], static_cast<int>(list.neighbour.size()));
    } catch (const Error& error) {
      fail("{}: {}", samples[k].where(), error.what());
    }
  }
  return block;
}

/// Every rank counted the edges of some samples; 0 in the others.
void share_edges(SampleSet& set, const Communicator& communicator) {
  constexpr std::size_t at_once = 1 << 20;
  std::vector<double> edges;
  for (std::size_t begin = 0; communicator.ranks() > 1 && begin < set.entries.size(); begin += at_once) {
    const std::size_t end = std::min(begin + at_once, set.entries.size());
    edges.clear();
    for (std::size_t i = begin; i < end; ++i) edges.push_back(set.entries[i].edges);
    communicator.sum(edges);
    for (std::size_t i = begin; i < end; ++i) set.entries[i].edges = static_cast<int>(edges[i - begin]);
  }
}

void share_sums(SetStatistics& sums, const Communicator& communicator) {
  communicator.sum(sums.atoms_of);
  for (double* sum : {&sums.atoms, &sums.force_squares, &sums.force_components}) communicator.sum({sum, 1});
  sums.fit.join(communicator);
}

}  // namespace

std::vector<int> SetStatistics::elements() const {
  std::vector<int> elements;
  for (int z = 1; z <= number_of_elements; ++z)
    if (atoms_of[z] > 0) elements.push_back(z);
  return elements;
}

double SetStatistics::force_rms() const {
  return force_squares > 0 ? std::sqrt(force_squares / force_components) : 1.0;
}

double SetStatistics::average_neighbours() const {
  return edges > 0 ? edges / atoms : 1.0;
}

SetStatistics scan(SampleSet& set, double cutoff, const LoaderOptions& options, const Communicator& communicator,
                   const std::vector<int>& known) {
  SetStatistics total;
  for (SampleEntry& entry : set.entries) entry.edges = 0;
  const EpochPlanner planner(set.entries, {}, window_of(options));
  const auto plan = std::make_shared<const EpochPlan>(planner.blocks_of(communicator.rank(), communicator.ranks()));
  Progress progress("reading the data");
  {
    SampleStream stream(set, planner, {0, 1, options.workers},
                        [&](const std::vector<int>& indices, std::vector<Sample> samples) {
                          return std::any(scan_block(indices, samples, cutoff, known));
                        });
    stream.append(plan);
    for (int k = 0; k < plan->batches(); ++k) {
      const auto block = std::any_cast<ScannedBlock>(stream.next());
      for (const auto& [sample, edges] : block.edges) set.entries[sample].edges = edges;
      for (int z = 0; z <= number_of_elements; ++z) total.atoms_of[z] += block.sums.atoms_of[z];
      total.atoms += block.sums.atoms;
      total.force_squares += block.sums.force_squares;
      total.force_components += block.sums.force_components;
      total.fit.add(block.sums.fit);
      if (progress.due())
        progress.update((k + 1.0) / plan->batches(), fmt::format("{} of {} blocks", k + 1, plan->batches()));
    }
  }
  share_edges(set, communicator);
  share_sums(total, communicator);
  for (const SampleEntry& entry : set.entries) total.edges += entry.edges;
  return total;
}

AtomicEnergies find_atomic_energies(const DataConfig& config, const TrainingData& data, const SetStatistics& train) {
  const std::vector<int> elements = train.elements();
  AtomicEnergies result;
  switch (config.atomic_energies) {
    case DataConfig::AtomicEnergies::file:
      result.source = "isolated atoms of " + config.isolated_atoms;
      result.energies = from_atoms(data.references, elements, config.isolated_atoms);
      break;
    case DataConfig::AtomicEnergies::training_set:
      result.source = "isolated atoms of the training set";
      result.energies = from_atoms(data.isolated, elements, "the training set");
      break;
    case DataConfig::AtomicEnergies::table:
      result.source = "the table of the configuration";
      result.energies = from_table(config.e0_table, elements);
      break;
    case DataConfig::AtomicEnergies::least_squares: {
      require(train.fit.structures() > 0,
              "data.isolated_atoms: least_squares needs energies, but no training structure has one; give the atomic "
              "energies in a table");
      CompositionFit::Solution solution = train.fit.solve(elements);
      result.source = "least squares over the training structures";
      result.energies = std::move(solution.energies);
      result.unique = solution.unique;
      break;
    }
  }
  result.residual = train.fit.residual(elements, result.energies);
  return result;
}

}  // namespace isotrope
