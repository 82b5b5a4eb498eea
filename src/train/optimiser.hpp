// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "train/config.hpp"

namespace isotrope {

/// Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and AMSGrad (Reddi et al. 2018) on a flat vector in
/// double. AMSGrad keeps the largest second moment before the bias correction, as torch does.
class Adam {
 public:
  struct State {
    std::int64_t steps = 0;
    std::vector<double> mean, square, largest;  ///< [parameters]; `largest` only with AMSGrad
  };

  Adam(const OptimiserConfig& config, std::size_t parameters);
  void step(std::span<double> parameters, std::span<const double> gradient, double learning_rate);

  const State& state() const { return state_; }
  void restore(State state) { state_ = std::move(state); }

 private:
  OptimiserConfig config_;
  State state_;
};

/// Scales the gradient down to a norm of `largest` where it is longer (0: never); hands back its norm before.
double clip_gradient(std::span<double> gradient, double largest);

/// Exponential moving average of the parameters: what is validated and written. Its decay grows from 0.1 to the given
/// one as (1 + n) / (10 + n) after n updates, so that a short run is not dominated by its random start. decay 0: the
/// parameters themselves.
class MovingAverage {
 public:
  struct State {
    std::int64_t updates = 0;
    std::vector<double> values;
  };

  MovingAverage(double decay, std::span<const double> parameters);
  void update(std::span<const double> parameters);

  const std::vector<double>& values() const { return state_.values; }
  const State& state() const { return state_; }
  void restore(State state) { state_ = std::move(state); }

 private:
  double decay_;
  State state_;
};

}  // namespace isotrope
