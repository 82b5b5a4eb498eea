// SPDX-License-Identifier: MIT
#include "train/optimiser.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace isotrope {

Adam::Adam(const OptimiserConfig& config, std::size_t parameters) : config_(config) {
  state_.mean.assign(parameters, 0.0);
  state_.square.assign(parameters, 0.0);
  if (config.amsgrad) state_.largest.assign(parameters, 0.0);
}

namespace {

/// What a step is made of, the same for every parameter.
struct StepNumbers {
  double beta1, beta2, epsilon, decay;  ///< `decay`: of the parameters where it is decoupled, else of the gradient
  double rate, root_correction;
};

/// One loop a kind of Adam, without branches, so that it runs in whole registers.
template <bool decoupled, bool amsgrad>
void step_all(const StepNumbers& numbers, std::span<double> parameters, std::span<const double> gradient,
              Adam::State& state) {
  const StepNumbers c = numbers;
  double* __restrict x = parameters.data();
  const double* __restrict by_x = gradient.data();
  double* __restrict means = state.mean.data();
  double* __restrict squares = state.square.data();
  double* __restrict largest = state.largest.data();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double before = decoupled ? x[i] * (1 - c.decay) : x[i];
    const double g = decoupled ? by_x[i] : by_x[i] + c.decay * x[i];
    const double mean = c.beta1 * means[i] + (1 - c.beta1) * g;
    const double square = c.beta2 * squares[i] + (1 - c.beta2) * g * g;
    double second = square;
    if constexpr (amsgrad) largest[i] = second = largest[i] < square ? square : largest[i];
    means[i] = mean;
    squares[i] = square;
    x[i] = before - c.rate * mean / (std::sqrt(second) * c.root_correction + c.epsilon);
  }
}

}  // namespace

void Adam::step(std::span<double> parameters, std::span<const double> gradient, double learning_rate) {
  const OptimiserConfig& c = config_;
  const auto n = static_cast<double>(++state_.steps);
  const StepNumbers numbers{c.beta1,
                            c.beta2,
                            c.epsilon,
                            c.decoupled_decay ? learning_rate * c.weight_decay : c.weight_decay,
                            learning_rate / (1 - std::pow(c.beta1, n)),
                            1 / std::sqrt(1 - std::pow(c.beta2, n))};
  if (c.decoupled_decay && c.amsgrad) return step_all<true, true>(numbers, parameters, gradient, state_);
  if (c.decoupled_decay) return step_all<true, false>(numbers, parameters, gradient, state_);
  if (c.amsgrad) return step_all<false, true>(numbers, parameters, gradient, state_);
  step_all<false, false>(numbers, parameters, gradient, state_);
}

double clip_gradient(std::span<double> gradient, double largest) {
  constexpr std::size_t sums = 16;  // that do not wait for each other
  double square[sums] = {};
  std::size_t i = 0;
  for (; i + sums <= gradient.size(); i += sums) {
    for (std::size_t k = 0; k < sums; ++k) square[k] += gradient[i + k] * gradient[i + k];
  }
  for (; i < gradient.size(); ++i) square[0] += gradient[i] * gradient[i];
  const double norm = std::sqrt(std::accumulate(square, square + sums, 0.0));
  if (largest > 0 && norm > largest)
    for (double& g : gradient) g *= largest / norm;
  return norm;
}

MovingAverage::MovingAverage(double decay, std::span<const double> parameters) : decay_(decay) {
  state_.values.assign(parameters.begin(), parameters.end());
}

void MovingAverage::update(std::span<const double> parameters) {
  const auto n = static_cast<double>(++state_.updates);
  const double decay = std::min(decay_, (1 + n) / (10 + n));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    state_.values[i] += (1 - decay) * (parameters[i] - state_.values[i]);
}

}  // namespace isotrope
