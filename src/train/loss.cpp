// SPDX-License-Identifier: MIT
#include "train/loss.hpp"

#include <cmath>

namespace isotrope {
namespace {

/// p(x) and its derivative.
struct Penalty {
  double value = 0, slope = 0;
};

Penalty penalise(const PenaltyConfig& config, double x) {
  const double size = std::abs(x), sign = x > 0 ? 1 : x < 0 ? -1 : 0;
  switch (config.kind) {
    case PenaltyConfig::Kind::mse:
      return {x * x, 2 * x};
    case PenaltyConfig::Kind::huber:
      if (size <= config.delta) return {0.5 * x * x, x};
      return {config.delta * (size - 0.5 * config.delta), config.delta * sign};
    default:
      return {size, sign};
  }
}

/// Of the three components of an atom's force: their sum and its gradient.
double penalise(const PenaltyConfig& config, const Vec3& x, Vec3& slope) {
  if (config.kind == PenaltyConfig::Kind::norm) {
    const double length = std::sqrt(dot(x, x));
    slope = length > 0 ? (1 / length) * x : Vec3{};
    return length;
  }
  double sum = 0;
  for (int k = 0; k < 3; ++k) {
    const Penalty p = penalise(config, x[k]);
    sum += p.value;
    slope[k] = p.slope;
  }
  return sum;
}

double energy_term(const LossConfig& config, double count, const Labels& labels, const Prediction& prediction,
                   LossDerivative& derivative) {
  double term = 0;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (!labels.has_energy[g]) continue;
    const double atoms = config.energy_per_atom ? labels.first_atom[g + 1] - labels.first_atom[g] : 1;
    const double factor = config.energy * labels.weight[g] / count;
    const Penalty p = penalise(config.energy_penalty, (prediction.energy[g] - labels.energy[g]) / atoms);
    term += factor * p.value;
    derivative.energy[g] = factor * p.slope / atoms;
  }
  return term;
}

/// Root of the mean over the atoms [begin, end) of |F_i - F_i*|^2; its gradient is left in `slope`.
double rms_of_structure(const std::vector<Vec3>& predicted, const std::vector<Vec3>& labels, int begin, int end,
                        std::vector<Vec3>& slope) {
  double sum = 0;
  for (int i = begin; i < end; ++i) {
    slope[i] = predicted[i] - labels[i];
    sum += dot(slope[i], slope[i]);
  }
  const double atoms = end - begin, rms = std::sqrt(sum / atoms);
  for (int i = begin; i < end; ++i) slope[i] = (rms > 0 ? 1 / (atoms * rms) : 0) * slope[i];
  return rms;
}

/// How many residuals the mean of forces goes over.
double force_count(const PenaltyConfig& penalty, const LossCounts& counts) {
  if (penalty.kind == PenaltyConfig::Kind::rmse) return counts.force_structures;
  return penalty.kind == PenaltyConfig::Kind::norm ? counts.force_components / 3 : counts.force_components;
}

double forces_term(const PenaltyConfig& penalty, double weight, double count, const Labels& labels,
                   const std::vector<Vec3>& predicted, std::vector<Vec3>& derivative) {
  double term = 0;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (!labels.has_forces[g]) continue;
    const double factor = weight * labels.weight[g] / count;
    const int begin = labels.first_atom[g], end = labels.first_atom[g + 1];
    if (penalty.kind == PenaltyConfig::Kind::rmse) {
      term += factor * rms_of_structure(predicted, labels.forces, begin, end, derivative);
      for (int i = begin; i < end; ++i) derivative[i] = factor * derivative[i];
      continue;
    }
    for (int i = begin; i < end; ++i) {
      Vec3 slope;
      term += factor * penalise(penalty, predicted[i] - labels.forces[i], slope);
      derivative[i] = factor * slope;
    }
  }
  return term;
}

double stress_term(const LossConfig& config, double count, const Labels& labels, const Prediction& prediction,
                   LossDerivative& derivative) {
  double term = 0;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (!labels.has_stress[g]) continue;
    const double factor = config.stress * labels.weight[g] / count;
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        const Penalty p = penalise(config.stress_penalty, prediction.stress[g][a][b] - labels.stress[g][a][b]);
        term += factor * p.value;
        derivative.stress[g][a][b] = factor * p.slope;
      }
    }
  }
  return term;
}

}  // namespace

LossCounts& LossCounts::operator+=(const LossCounts& other) {
  energies += other.energies;
  force_components += other.force_components;
  force_structures += other.force_structures;
  stress_components += other.stress_components;
  return *this;
}

LossCounts loss_counts(const Labels& labels) {
  LossCounts counts;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (labels.has_energy[g]) counts.energies += 1;
    if (labels.has_forces[g]) {
      counts.force_components += 3.0 * (labels.first_atom[g + 1] - labels.first_atom[g]);
      counts.force_structures += 1;
    }
    if (labels.has_stress[g]) counts.stress_components += 9;
  }
  return counts;
}

LossTerms evaluate_loss(const LossConfig& config, const LossCounts& counts, const Labels& labels,
                        const Prediction& prediction, LossDerivative& derivative) {
  derivative.energy.assign(labels.graphs(), 0.0);
  derivative.forces.assign(prediction.forces.size(), Vec3{});
  derivative.stress.assign(labels.graphs(), Mat3{});
  LossTerms terms;
  if (config.energy > 0) terms.energy = energy_term(config, counts.energies, labels, prediction, derivative);
  const double forces = force_count(config.forces_penalty, counts);
  if (config.forces > 0) {
    terms.forces =
        forces_term(config.forces_penalty, config.forces, forces, labels, prediction.forces, derivative.forces);
  }
  derivative.direct_forces.clear();
  if (config.direct_forces > 0) {
    derivative.direct_forces.assign(prediction.direct_forces.size(), Vec3{});
    terms.direct_forces = forces_term(config.forces_penalty, config.direct_forces, forces, labels,
                                      prediction.direct_forces, derivative.direct_forces);
  }
  if (config.stress > 0) terms.stress = stress_term(config, counts.stress_components, labels, prediction, derivative);
  return terms;
}

}  // namespace isotrope
