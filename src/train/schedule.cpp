// SPDX-License-Identifier: MIT
#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace isotrope {

double Schedule::progress_in_units(const RunPosition& progress) const {
  switch (config_.unit) {
    case ScheduleConfig::Unit::steps:
      return static_cast<double>(progress.step);
    case ScheduleConfig::Unit::epochs:
      return progress.epochs;
    default:
      return progress.seconds;
  }
}

double Schedule::learning_rate(const RunPosition& progress) const {
  const ScheduleConfig& c = config_;
  double rate = base_;
  if (c.kind == ScheduleConfig::Kind::plateau) {
    rate = std::max(base_ * state_.scale, c.minimum);
  } else if (c.kind == ScheduleConfig::Kind::exponential) {
    const double units =
        c.unit == ScheduleConfig::Unit::epochs ? std::floor(progress.epochs) : progress_in_units(progress);
    rate = std::max(base_ * std::pow(c.factor, units), c.minimum);
  } else if (c.kind == ScheduleConfig::Kind::cosine) {
    const double done = std::min(progress_in_units(progress) / c.length, 1.0);
    rate = c.minimum + 0.5 * (base_ - c.minimum) * (1 + std::cos(std::numbers::pi * done));
  }
  if (progress.step < c.warmup_steps) rate *= static_cast<double>(progress.step + 1) / c.warmup_steps;
  return rate;
}

void Schedule::validated(double loss) {
  if (loss < state_.best) {
    state_.best = loss;
    state_.without_improvement = 0;
  } else if (++state_.without_improvement > config_.patience) {
    state_.scale *= config_.factor;
    state_.without_improvement = 0;
  }
}

}  // namespace isotrope
