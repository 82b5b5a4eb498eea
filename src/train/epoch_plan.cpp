// SPDX-License-Identifier: MIT
#include "train/epoch_plan.hpp"

#include <algorithm>
#include <numeric>

#include "core/random.hpp"

namespace isotrope {
namespace {

/// Of a structure in a data set: numbers, positions and forces of its atoms, and the rest.
std::size_t bytes(const SampleEntry& entry) {
  return 52 * static_cast<std::size_t>(entry.atoms) + 240;
}

// A window has many blocks, so that it mixes many places of the files; a block takes one access an array, which costs
// the same for a few structures as for a megabyte of them.
constexpr std::size_t blocks_a_window = 64, largest_block = std::size_t{1} << 20;
// What lies between the structures of a block is read and dropped: cheaper than many accesses, up to this factor.
constexpr std::size_t largest_gap = 8;
constexpr std::size_t part_in_order = 16;

}  // namespace

EpochPlanner::EpochPlanner(const std::vector<SampleEntry>& entries, BatchSize size, std::size_t window)
    : entries_(entries), size_(size), window_(window) {
  const std::size_t limit = std::min(window / blocks_a_window, largest_block);
  std::size_t held = 0, spanned = 0;
  for (int i = 0; i < static_cast<int>(entries.size()); ++i) {
    const SampleEntry& entry = entries[i];
    const std::size_t size_here = bytes(entry);
    const bool new_file = i == 0 || entries[i - 1].source != entry.source;
    const std::size_t gap = new_file ? 0 : (entry.place - entries[i - 1].place - 1) * size_here;
    if (new_file || held + size_here > limit || spanned + gap + size_here > largest_gap * limit) {
      block_first_.push_back(i);
      held = spanned = 0;
    } else {
      spanned += gap;
    }
    held += size_here;
    spanned += size_here;
    bytes_ += size_here;
  }
  block_first_.push_back(static_cast<int>(entries.size()));
}

int EpochPlanner::block_of(int sample) const {
  return static_cast<int>(std::upper_bound(block_first_.begin(), block_first_.end(), sample) - block_first_.begin()) -
         1;
}

void EpochPlanner::append_block(EpochPlan& plan, int block) const {
  plan.blocks.push_back(block);
  for (int i = block_first_[block]; i < block_first_[block + 1]; ++i) plan.order.push_back(i);
}

EpochPlan EpochPlanner::shuffled(std::uint64_t seed, std::int64_t epoch) const {
  const auto stream = static_cast<std::uint64_t>(epoch) + 1;
  EpochPlan plan;
  plan.order.reserve(entries_.size());
  plan.window_first.push_back(0);
  plan.window_blocks.push_back(0);
  const auto close_window = [&] {
    std::sort(plan.blocks.begin() + plan.window_blocks.back(), plan.blocks.end());
    plan.window_first.push_back(static_cast<std::int64_t>(plan.order.size()));
    plan.window_blocks.push_back(static_cast<int>(plan.blocks.size()));
  };
  if (one_window()) {
    for (int block = 0; block < blocks(); ++block) plan.blocks.push_back(block);
    plan.order = isotrope::shuffled(static_cast<int>(entries_.size()), seed, stream);
    close_window();
  } else {
    SplitMix random = stream_of(seed, stream);
    std::vector<int> blocks_left(blocks());
    std::iota(blocks_left.begin(), blocks_left.end(), 0);
    shuffle(std::span<int>(blocks_left), random);
    std::size_t held = 0;
    const auto shuffle_window = [&] {
      shuffle(std::span<int>(plan.order).subspan(plan.window_first.back()), random);
      close_window();
    };
    for (const int block : blocks_left) {
      std::size_t size = 0;
      for (int i = block_first_[block]; i < block_first_[block + 1]; ++i) size += bytes(entries_[i]);
      if (held > 0 && held + size > window_) shuffle_window(), held = 0;
      append_block(plan, block);
      held += size;
    }
    shuffle_window();
  }
  cut_batches(plan);
  return plan;
}

EpochPlan EpochPlanner::in_order() const {
  EpochPlan plan;
  plan.window_first.push_back(0);
  plan.window_blocks.push_back(0);
  std::size_t held = 0;
  for (int block = 0; block < blocks(); ++block) {
    append_block(plan, block);
    for (int i = block_first_[block]; i < block_first_[block + 1]; ++i) held += bytes(entries_[i]);
    if (held < window_ / part_in_order && block + 1 < blocks()) continue;
    held = 0;
    plan.window_first.push_back(static_cast<std::int64_t>(plan.order.size()));
    plan.window_blocks.push_back(static_cast<int>(plan.blocks.size()));
  }
  cut_batches(plan);
  return plan;
}

EpochPlan EpochPlanner::blocks_of(int rank, int ranks) const {
  EpochPlan plan;
  plan.first.push_back(0);
  plan.window_first.push_back(0);
  plan.window_blocks.push_back(0);
  for (int block = rank; block < blocks(); block += ranks) {
    append_block(plan, block);
    plan.first.push_back(static_cast<std::int64_t>(plan.order.size()));
    plan.window_first.push_back(plan.first.back());
    plan.window_blocks.push_back(static_cast<int>(plan.blocks.size()));
  }
  return plan;
}

void EpochPlanner::cut_batches(EpochPlan& plan) const {
  std::int64_t structures = 0, atoms = 0, edges = 0;
  for (std::size_t place = 0; place < plan.order.size(); ++place) {
    const SampleEntry& entry = entries_[plan.order[place]];
    const bool full = structures == 0 || (size_.structures > 0 && structures >= size_.structures) ||
                      (size_.atoms > 0 && atoms + entry.atoms > size_.atoms) ||
                      (size_.edges > 0 && edges + entry.edges > size_.edges);
    if (full) {
      plan.first.push_back(static_cast<std::int64_t>(place));
      structures = atoms = edges = 0;
    }
    ++structures;
    atoms += entry.atoms;
    edges += entry.edges;
  }
  plan.first.push_back(static_cast<std::int64_t>(plan.order.size()));
}

std::vector<int> share_of(std::span<const int> batch, const std::vector<SampleEntry>& entries, int rank, int ranks) {
  std::vector<int> largest_first(batch.begin(), batch.end());
  if (ranks == 1) return largest_first;
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [&](int a, int b) { return entries[a].atoms > entries[b].atoms; });
  std::vector<std::int64_t> load(ranks, 0);
  std::vector<int> mine;
  for (const int i : largest_first) {
    const auto idlest = std::min_element(load.begin(), load.end());
    *idlest += entries[i].atoms;
    if (idlest - load.begin() == rank) mine.push_back(i);
  }
  return mine;
}

}  // namespace isotrope
