// SPDX-License-Identifier: MIT
#include "train/optimiser.hpp"

#include <algorithm>
#include <cmath>

namespace isotrope {

Adam::Adam(const OptimiserConfig& config, std::size_t parameters) : config_(config) {
  state_.mean.assign(parameters, 0.0);
  state_.square.assign(parameters, 0.0);
  if (config.amsgrad) state_.largest.assign(parameters, 0.0);
}

void Adam::step(std::span<double> parameters, std::span<const double> gradient, double learning_rate) {
  const OptimiserConfig& c = config_;
  const auto n = static_cast<double>(++state_.steps);
  const double mean_correction = 1 - std::pow(c.beta1, n);
  const double square_correction = std::sqrt(1 - std::pow(c.beta2, n));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    double g = gradient[i];
    if (c.decoupled_decay)
      parameters[i] *= 1 - learning_rate * c.weight_decay;
    else
      g += c.weight_decay * parameters[i];
    double& mean = state_.mean[i];
    double& square = state_.square[i];
    mean = c.beta1 * mean + (1 - c.beta1) * g;
    square = c.beta2 * square + (1 - c.beta2) * g * g;
    if (c.amsgrad) state_.largest[i] = std::max(state_.largest[i], square);
    const double second = c.amsgrad ? state_.largest[i] : square;
    const double denominator = std::sqrt(second) / square_correction + c.epsilon;
    parameters[i] -= learning_rate / mean_correction * mean / denominator;
  }
}

double clip_gradient(std::span<double> gradient, double largest) {
  double square = 0;
  for (double g : gradient) square += g * g;
  const double norm = std::sqrt(square);
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
