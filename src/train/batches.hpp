// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "geometry/graph.hpp"
#include "train/sample_stream.hpp"

namespace isotrope {

/// A batch, ready for the potential.
struct Batch {
  Graph graph;
  Labels labels;
};

/// Several batches as one; its graph equals make_graph of their structures.
Batch join(const std::vector<const Batch*>& batches);
/// The graph and the labels of one structure. Where two of its atoms are at the same place, that throws with its name.
Batch make_batch(const Sample& sample, const SpeciesMap& species, double cutoff);

/// How structures come from their files.
struct LoaderOptions {
  std::size_t memory = std::size_t{1} << 30;  ///< bytes of structures and graphs that a rank may hold
  int workers = 1;                            ///< threads that make graphs, beside the one that reads
  int rank = 0, ranks = 1;
  bool may_cache = true;  ///< off: stream although the graphs would fit
};

/// The window of an EpochPlanner: two of them, and what workers hold, stay within the memory.
inline std::size_t window_of(const LoaderOptions& options) {
  return options.memory / 4;
}

/// What a BatchLoader does with a set: "graphs are kept in memory (12 MiB)" and the like.
std::string describe_loading(const SampleSet& set, const LoaderOptions& options);

/// Visits the structures of a set in the order of the files, one a batch: every `ranks`-th block of them from `rank`
/// on.
void for_each_single(const SampleSet& set, const SpeciesMap& species, double cutoff, const LoaderOptions& options,
                     const std::function<void(Batch)>& visit);

/// Delivers the batches of a set, this rank's share of each. Where the graphs of all structures fit into the memory
/// they are made once, kept and only joined; otherwise structures are streamed from their files in every epoch and
/// become graphs on background threads.
class BatchLoader {
 public:
  BatchLoader(const SampleSet& set, const SpeciesMap& species, double cutoff, BatchSize size, LoaderOptions options);

  using Plan = std::shared_ptr<const EpochPlan>;
  /// The order of an epoch, a function of the set, seed and epoch; and of the memory, where order_depends_on_memory().
  Plan shuffled(std::uint64_t seed, std::int64_t epoch) const;
  Plan in_order() const;
  bool order_depends_on_memory() const { return !cached_ && !planner_.one_window(); }

  /// Delivers `plan` from a batch on, whatever was going on before.
  void start(Plan plan, int first_batch = 0);
  /// And this one after it.
  void follow_with(Plan plan);
  Batch next();
  void stop();

  bool cached() const { return cached_; }

 private:
  Batch next_of_cache();

  const SampleSet& set_;
  const SpeciesMap& species_;
  double cutoff_;
  LoaderOptions options_;
  bool cached_;
  EpochPlanner planner_;
  std::vector<Batch> cache_;
  std::deque<Plan> plans_;  ///< of the cache: the present one and those after it
  int batch_ = 0;
  std::unique_ptr<SampleStream> stream_;
};

}  // namespace isotrope
