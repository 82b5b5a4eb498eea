// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "train/sample_set.hpp"

namespace isotrope {

/// What bounds a batch: structures, atoms or edges; the others are 0. A structure larger than the bound is a batch by
/// itself.
struct BatchSize {
  int structures = 0;
  int atoms = 0;
  int edges = 0;
};

/// In which order the structures of a set are worked on, and which of them a window of memory holds at once.
struct EpochPlan {
  std::vector<int> order;                  ///< a permutation of the samples
  std::vector<std::int64_t> first;         ///< [batches + 1] where batches begin in `order`
  std::vector<int> blocks;                 ///< blocks of the planner, window after window, ascending in each
  std::vector<std::int64_t> window_first;  ///< [windows + 1] where windows begin in `order`
  std::vector<int> window_blocks;          ///< [windows + 1] where windows begin in `blocks`

  int batches() const { return static_cast<int>(first.size()) - 1; }
  int windows() const { return static_cast<int>(window_first.size()) - 1; }
  std::span<const int> batch(int k) const { return {order.data() + first[k], order.data() + first[k + 1]}; }
};

/// Plans epochs of a set. Its structures are cut into blocks of consecutive ones of one file, which are read as a
/// whole. An epoch takes the blocks in random order, as many at a time as fit into the window, and shuffles their
/// structures among each other; where the whole set fits that is a full shuffle. So what is read at once lies together,
/// and what is in memory at once comes from many places. Plans depend on the arguments only, not on ranks or threads.
class EpochPlanner {
 public:
  /// `window`: bytes of the structures in a window, as files hold them.
  EpochPlanner(const std::vector<SampleEntry>& entries, BatchSize size, std::size_t window);

  EpochPlan shuffled(std::uint64_t seed, std::int64_t epoch) const;
  /// In the order of the files, in small windows.
  EpochPlan in_order() const;
  /// The same in batches that are blocks, and only every `ranks`-th of them from `rank` on.
  EpochPlan blocks_of(int rank, int ranks) const;
  /// Whether `shuffled` is a full shuffle, whatever the window.
  bool one_window() const { return bytes_ <= window_; }

  int blocks() const { return static_cast<int>(block_first_.size()) - 1; }
  int block_of(int sample) const;
  int block_begin(int block) const { return block_first_[block]; }

 private:
  void append_block(EpochPlan& plan, int block) const;
  void cut_batches(EpochPlan& plan) const;

  const std::vector<SampleEntry>& entries_;
  BatchSize size_;
  std::size_t window_, bytes_ = 0;
  std::vector<int> block_first_;  ///< [blocks + 1]
};

/// The part of a batch that a rank works on: the largest structures first, each to the rank with the fewest atoms so
/// far. Every rank takes part in every batch, also with nothing, so all take the same number of steps.
std::vector<int> share_of(std::span<const int> batch, const std::vector<SampleEntry>& entries, int rank, int ranks);

}  // namespace isotrope
