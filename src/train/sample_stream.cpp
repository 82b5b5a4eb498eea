// SPDX-License-Identifier: MIT
#include "train/sample_stream.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/error.hpp"

namespace isotrope {

SampleStream::SampleStream(const SampleSet& set, const EpochPlanner& planner, Crew crew, Make make)
    : set_(set), planner_(planner), crew_(crew), make_(std::move(make)) {
  threads_.emplace_back([this] { read_blocks(); });
  for (int k = 0; k < crew_.workers; ++k) threads_.emplace_back([this] { work(); });
}

SampleStream::~SampleStream() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void SampleStream::append(std::shared_ptr<const EpochPlan> plan, int first_batch) {
  Pass pass;
  pass.plan = std::move(plan);
  plan_reading(pass, first_batch);
  {
    const std::lock_guard lock(mutex_);
    pass.window_base = windows_;
    for (std::int64_t& window : pass.window) window += windows_;
    windows_ += pass.plan->windows();
    if (appended_ == 0) build_.batch = deliver_.batch = first_batch;
    passes_.emplace(appended_++, std::move(pass));
    step_over_finished(build_);
    step_over_finished(deliver_);
  }
  changed_.notify_all();
}

/// Which blocks hold samples of this rank, and when the last one that a batch needs will be there.
void SampleStream::plan_reading(Pass& pass, int first_batch) const {
  const EpochPlan& plan = *pass.plan;
  pass.mine.assign(set_.entries.size(), false);
  pass.uses.assign(planner_.blocks(), 0);
  pass.needed.assign(plan.batches(), 0);
  for (int batch = first_batch; batch < plan.batches(); ++batch) {
    for (const int sample : share_of(plan.batch(batch), set_.entries, crew_.rank, crew_.ranks)) {
      pass.mine[sample] = true;
      ++pass.uses[planner_.block_of(sample)];
    }
  }
  std::vector<int> position(planner_.blocks(), 0);
  for (int window = 0; window < plan.windows(); ++window) {
    for (int k = plan.window_blocks[window]; k < plan.window_blocks[window + 1]; ++k) {
      const int block = plan.blocks[k];
      if (pass.uses[block] == 0) continue;
      position[block] = static_cast<int>(pass.blocks.size());
      pass.blocks.push_back(block);
      pass.window.push_back(window);
    }
  }
  for (int batch = first_batch; batch < plan.batches(); ++batch)
    for (const int sample : share_of(plan.batch(batch), set_.entries, crew_.rank, crew_.ranks))
      pass.needed[batch] = std::max(pass.needed[batch], position[planner_.block_of(sample)] + 1);
}

void SampleStream::step_over_finished(Cursor& cursor) const {
  for (auto pass = passes_.find(cursor.plan); pass != passes_.end() && cursor.batch >= pass->second.plan->batches();
       pass = passes_.find(cursor.plan))
    cursor = {cursor.plan + 1, 0};
}

void SampleStream::drop_finished() {
  while (!passes_.empty() && passes_.begin()->first < std::min(deliver_.plan, reading_)) passes_.erase(passes_.begin());
}

/// The window after the one in which the next batch begins; or further, if that batch is larger than a window.
std::int64_t SampleStream::last_window_to_read() const {
  const auto found = passes_.find(build_.plan);
  if (found == passes_.end()) return std::numeric_limits<std::int64_t>::max();  // all that is to be read was used
  const EpochPlan& plan = *found->second.plan;
  const auto window_of = [&](std::int64_t place) {
    return std::upper_bound(plan.window_first.begin(), plan.window_first.end(), place) - plan.window_first.begin() - 1;
  };
  const std::int64_t begin = window_of(plan.first[build_.batch]), end = window_of(plan.first[build_.batch + 1] - 1);
  return found->second.window_base + std::max(begin + 1, end);
}

bool SampleStream::can_read() const {
  const auto found = passes_.find(reading_);
  if (found == passes_.end()) return false;
  const Pass& pass = found->second;
  return pass.read == static_cast<int>(pass.blocks.size()) || pass.window[pass.read] <= last_window_to_read();
}

void SampleStream::read_blocks() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || can_read(); });
    if (stop_) return;
    Pass& pass = passes_.at(reading_);
    if (pass.read == static_cast<int>(pass.blocks.size())) {
      ++reading_;
      drop_finished();
      continue;
    }
    const int block = pass.blocks[pass.read];
    Loaded loaded;
    for (int i = planner_.block_begin(block); i < planner_.block_begin(block + 1); ++i)
      if (pass.mine[i]) loaded.samples.push_back(i);
    lock.unlock();
    std::exception_ptr error;
    try {
      loaded.block = set_.read(loaded.samples);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      read_error_ = error;
      changed_.notify_all();
      return;
    }
    pass.loaded.emplace(block, std::move(loaded));
    ++pass.read;
    changed_.notify_all();
  }
}

bool SampleStream::can_build() const {
  if (under_way_ > crew_.workers) return false;  // one that waits to be taken, and one for each worker
  const auto found = passes_.find(build_.plan);
  return found != passes_.end() && found->second.read >= found->second.needed[build_.batch];
}

/// Takes the next batch; blocks that nobody needs any more go with it.
SampleStream::Job SampleStream::take_job() {
  Job job;
  job.cursor = build_;
  Pass& pass = passes_.at(build_.plan);
  for (const int sample : share_of(pass.plan->batch(build_.batch), set_.entries, crew_.rank, crew_.ranks)) {
    const int block = planner_.block_of(sample);
    const Loaded& loaded = pass.loaded.at(block);
    const auto row = std::lower_bound(loaded.samples.begin(), loaded.samples.end(), sample) - loaded.samples.begin();
    job.pieces.push_back({sample, loaded.block, static_cast<int>(row)});
    if (--pass.uses[block] == 0) pass.loaded.erase(block);
  }
  ++build_.batch;
  step_over_finished(build_);
  ++under_way_;
  return job;
}

void SampleStream::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || can_build(); });
    if (stop_) return;
    Job job = take_job();
    lock.unlock();
    changed_.notify_all();  // the next window may be read
    Result result = carry_out(job);
    const Cursor cursor = job.cursor;
    job = {};
    lock.lock();
    ready_.emplace(cursor, std::move(result));
    changed_.notify_all();
  }
}

SampleStream::Result SampleStream::carry_out(const Job& job) const {
  try {
    std::vector<int> indices;
    std::vector<Sample> samples;
    for (const Piece& piece : job.pieces) {
      indices.push_back(piece.sample);
      samples.push_back(set_.sample(piece.sample, *piece.block, piece.row));
    }
    return {make_(indices, std::move(samples)), nullptr};
  } catch (...) {
    return {{}, std::current_exception()};
  }
}

std::any SampleStream::next() {
  std::unique_lock lock(mutex_);
  require(passes_.contains(deliver_.plan), "a stream of structures was asked for more batches than its plans have");
  // A batch that no worker has taken and whose blocks cannot be read any more will never come.
  const auto lost = [this] { return read_error_ && deliver_ == build_ && !can_build(); };
  changed_.wait(lock, [&] { return ready_.contains(deliver_) || lost(); });
  if (!ready_.contains(deliver_)) std::rethrow_exception(read_error_);
  Result result = std::move(ready_.at(deliver_));
  ready_.erase(deliver_);
  --under_way_;
  ++deliver_.batch;
  step_over_finished(deliver_);
  drop_finished();
  lock.unlock();
  changed_.notify_all();
  if (result.error) std::rethrow_exception(result.error);
  return std::move(result.product);
}

}  // namespace isotrope
