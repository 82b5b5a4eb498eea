// SPDX-License-Identifier: MIT
#include "train/batches.hpp"

#include <algorithm>
#include <numeric>

#include "core/random.hpp"

namespace isotrope {
namespace {

std::vector<Indices> fill(const Indices& order, const std::vector<int>& sizes, BatchSize size) {
  std::vector<Indices> batches;
  std::int64_t atoms = 0;
  for (int i : order) {
    const bool full =
        batches.empty() || (size.structures > 0 ? static_cast<int>(batches.back().size()) >= size.structures
                                                : atoms + sizes[i] > size.atoms);
    if (full) batches.emplace_back(), atoms = 0;
    batches.back().push_back(i);
    atoms += sizes[i];
  }
  return batches;
}

std::size_t bytes(const Graph& graph) {
  return graph.neighbour.size() * (sizeof(int) + sizeof(Vec3)) +
         graph.total * (2 * sizeof(int) + sizeof(std::int64_t) + sizeof(Vec3)) + sizeof(Graph);
}

}  // namespace

std::vector<Indices> plan_epoch(const std::vector<int>& sizes, BatchSize size, std::uint64_t seed, std::int64_t epoch) {
  return fill(shuffled(static_cast<int>(sizes.size()), seed, static_cast<std::uint64_t>(epoch) + 1), sizes, size);
}

std::vector<Indices> plan_in_order(const std::vector<int>& sizes, BatchSize size) {
  Indices order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  return fill(order, sizes, size);
}

Indices share_of(const Indices& batch, const std::vector<int>& sizes, int rank, int ranks) {
  if (ranks == 1) return batch;
  Indices largest_first = batch;
  std::stable_sort(largest_first.begin(), largest_first.end(), [&](int a, int b) { return sizes[a] > sizes[b]; });
  std::vector<std::int64_t> load(ranks, 0);
  Indices mine;
  for (int i : largest_first) {
    const auto idlest = std::min_element(load.begin(), load.end());
    *idlest += sizes[i];
    if (idlest - load.begin() == rank) mine.push_back(i);
  }
  return mine;
}

Graph join(const std::vector<const Graph*>& graphs) {
  Graph all;
  all.graphs = 0;
  all.first.push_back(0);
  for (const Graph* part : graphs) {
    const int atoms = all.owned;
    const std::int64_t edges = all.edges();
    all.owned += part->owned;
    all.species.insert(all.species.end(), part->species.begin(), part->species.end());
    for (int i = 0; i < part->owned; ++i) all.first.push_back(edges + part->first[i + 1]);
    for (int j : part->neighbour) all.neighbour.push_back(atoms + j);
    all.r.insert(all.r.end(), part->r.begin(), part->r.end());
    all.position.insert(all.position.end(), part->position.begin(), part->position.end());
    for (int g : part->graph) all.graph.push_back(all.graphs + g);
    all.graphs += part->graphs;
    all.volume.insert(all.volume.end(), part->volume.begin(), part->volume.end());
    all.charge.insert(all.charge.end(), part->charge.begin(), part->charge.end());
    all.multiplicity.insert(all.multiplicity.end(), part->multiplicity.begin(), part->multiplicity.end());
  }
  all.total = all.owned;
  return all;
}

BatchLoader::BatchLoader(const std::vector<Sample>& samples, const SpeciesMap& species, double cutoff,
                         std::size_t memory)
    : samples_(samples), species_(species), cutoff_(cutoff) {
  for (const Sample& sample : samples) sizes_.push_back(sample.structure.size());
  std::size_t used = 0;
  for (const Sample& sample : samples) {
    cache_.push_back(make_graph(sample.structure, species, cutoff));
    used += bytes(cache_.back());
    if (used > memory) {
      cache_ = {};
      return;
    }
  }
}

Graph BatchLoader::graph_of(const Indices& indices) const {
  std::vector<const Structure*> structures;
  for (int i : indices) structures.push_back(&samples_[i].structure);
  return make_graph(structures, species_, cutoff_);
}

void BatchLoader::prefetch(const Indices& indices) {
  if (cached()) return;
  pending_indices_ = indices;
  pending_ = std::async(std::launch::async, [this, indices] { return graph_of(indices); });
}

Batch BatchLoader::load(const Indices& indices) {
  Batch batch;
  std::vector<const Sample*> samples;
  for (int i : indices) samples.push_back(&samples_[i]);
  batch.labels = collect_labels(samples);
  if (cached()) {
    std::vector<const Graph*> parts;
    for (int i : indices) parts.push_back(&cache_[i]);
    batch.graph = join(parts);
  } else if (pending_.valid() && pending_indices_ == indices) {
    batch.graph = pending_.get();
  } else {
    batch.graph = graph_of(indices);
  }
  return batch;
}

}  // namespace isotrope
