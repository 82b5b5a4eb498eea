// SPDX-License-Identifier: MIT
#pragma once
#include <any>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "train/epoch_plan.hpp"

namespace isotrope {

/// Reads the structures of a set in the order of plans and makes something of each batch, ahead of whoever takes the
/// results. One thread reads blocks of files, one after the other; workers take structures out of them, check them and
/// make the product; results come out in the order of the plan. In memory are the blocks of at most two windows
/// (the one in use and the next) and a few products. Plain C++: no thread but the caller's may touch a Kokkos type.
class SampleStream {
 public:
  /// What becomes of a batch; called by several threads at once, in no order. The indices are those of the set.
  using Make = std::function<std::any(const std::vector<int>& indices, std::vector<Sample> samples)>;
  struct Crew {
    int rank = 0, ranks = 1;  ///< each rank gets its share of every batch
    int workers = 1;
  };

  SampleStream(const SampleSet& set, const EpochPlanner& planner, Crew crew, Make make);
  /// Stops reading, drops what was made.
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  /// Plans are worked on one after the other, without a pause between them.
  void append(std::shared_ptr<const EpochPlan> plan, int first_batch = 0);
  /// What was made of the next batch; waits for it. Throws what went wrong with it, on whichever thread.
  std::any next();

 private:
  /// A place in the work: the number of a plan, counted from 0, and a batch of it.
  struct Cursor {
    std::int64_t plan = 0;
    int batch = 0;
    auto operator<=>(const Cursor&) const = default;
  };
  struct Loaded {
    std::shared_ptr<const StructureBlock> block;
    std::vector<int> samples;  ///< those of this rank, ascending
  };
  /// A plan as this rank sees it.
  struct Pass {
    std::shared_ptr<const EpochPlan> plan;
    std::int64_t window_base = 0;            ///< number of its first window
    std::vector<int> blocks;                 ///< those that the rank needs, in the order of reading
    std::vector<std::int64_t> window;        ///< [blocks] in which they are
    std::vector<int> needed;                 ///< [batches] how many of them must be there before it is made
    std::vector<bool> mine;                  ///< [samples]
    std::vector<int> uses;                   ///< [blocks of the planner] samples that are not taken yet
    std::unordered_map<int, Loaded> loaded;  ///< by block
    int read = 0;                            ///< blocks that are read
  };
  struct Piece {
    int sample;
    std::shared_ptr<const StructureBlock> block;
    int row;
  };
  struct Job {
    Cursor cursor;
    std::vector<Piece> pieces;
  };
  struct Result {
    std::any product;
    std::exception_ptr error;
  };

  void read_blocks();
  void work();
  Result carry_out(const Job& job) const;
  bool can_read() const;
  bool can_build() const;
  Job take_job();
  std::int64_t last_window_to_read() const;
  void step_over_finished(Cursor& cursor) const;
  void drop_finished();
  void plan_reading(Pass& pass, int first_batch) const;

  const SampleSet& set_;
  const EpochPlanner& planner_;
  Crew crew_;
  Make make_;

  mutable std::mutex mutex_;  ///< of all below
  std::condition_variable changed_;
  std::map<std::int64_t, Pass> passes_;  ///< by number; those that are delivered are gone
  std::int64_t appended_ = 0, windows_ = 0;
  std::int64_t reading_ = 0;  ///< the pass whose blocks are read
  Cursor build_, deliver_;    ///< next batch to make, and to give out
  std::map<Cursor, Result> ready_;
  int under_way_ = 0;  ///< batches taken by workers and not given out
  std::exception_ptr read_error_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace isotrope
