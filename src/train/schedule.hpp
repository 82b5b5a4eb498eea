// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <limits>

#include "train/config.hpp"

namespace isotrope {

/// Where a run stands: what the learning rate may depend on.
struct RunPosition {
  std::int64_t step = 0;  ///< steps done
  double epochs = 0;      ///< epochs done, with the fraction of the present one
  double seconds = 0;     ///< time spent, over all parts of a resumed run
};

/// The learning rate over a run. A cosine over seconds makes full use of a time limit, but is not reproducible.
class Schedule {
 public:
  struct State {
    double scale = 1;  ///< plateau: product of the factors so far
    double best = std::numeric_limits<double>::infinity();
    int without_improvement = 0;
  };

  Schedule(const ScheduleConfig& config, double learning_rate) : config_(config), base_(learning_rate) {}
  double learning_rate(const RunPosition& progress) const;
  /// Plateau: after more than `patience` validations in a row without a better loss the rate falls by the factor.
  void validated(double loss);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  double progress_in_units(const RunPosition& progress) const;

  ScheduleConfig config_;
  double base_;
  State state_;
};

}  // namespace isotrope
