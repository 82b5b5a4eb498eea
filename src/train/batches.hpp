// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <future>
#include <vector>

#include "geometry/graph.hpp"
#include "train/training_data.hpp"

namespace isotrope {

using Indices = std::vector<int>;

/// How many structures, or atoms at most, make a batch; one of the two is 0. A structure larger than `atoms` is a batch
/// by itself.
struct BatchSize {
  int structures = 0;
  int atoms = 0;
};

/// The batches of an epoch: every structure once, in an order that depends on seed and epoch only. `sizes`: atoms a
/// structure.
std::vector<Indices> plan_epoch(const std::vector<int>& sizes, BatchSize size, std::uint64_t seed, std::int64_t epoch);
/// The same in file order, for validation.
std::vector<Indices> plan_in_order(const std::vector<int>& sizes, BatchSize size);

/// The part of a batch that a rank works on: the largest structures first, each to the rank with the fewest atoms so
/// far. Every rank takes part in every batch, also with nothing, so all take the same number of steps.
Indices share_of(const Indices& batch, const std::vector<int>& sizes, int rank, int ranks);

/// Several graphs as one; equals make_graph of their structures.
Graph join(const std::vector<const Graph*>& graphs);

/// A batch, ready for the potential.
struct Batch {
  Graph graph;
  Labels labels;
};

/// Makes batches of samples. Graphs of single structures are kept if they all fit into `memory` bytes, and only joined
/// then; else they are made anew, the next one by a background thread while the present one is worked on.
class BatchLoader {
 public:
  BatchLoader(const std::vector<Sample>& samples, const SpeciesMap& species, double cutoff,
              std::size_t memory = std::size_t{1} << 30);
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  Batch load(const Indices& indices);
  /// Says what will be loaded next, so that it can be made meanwhile.
  void prefetch(const Indices& indices);

  const std::vector<int>& sizes() const { return sizes_; }  ///< atoms a structure
  bool cached() const { return !cache_.empty(); }

 private:
  Graph graph_of(const Indices& indices) const;

  const std::vector<Sample>& samples_;
  const SpeciesMap& species_;
  double cutoff_;
  std::vector<int> sizes_;
  std::vector<Graph> cache_;
  Indices pending_indices_;
  std::future<Graph> pending_;
};

}  // namespace isotrope
