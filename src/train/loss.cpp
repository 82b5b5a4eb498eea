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
    const double atoms = labels.first_atom[g + 1] - labels.first_atom[g];
    const double factor = config.energy * labels.weight[g] / count;
    const Penalty p = penalise(config.energy_penalty, (prediction.energy[g] - labels.energy[g]) / atoms);
    term += factor * p.value;
    derivative.energy[g] = factor * p.slope / atoms;
  }
  return term;
}

double forces_term(const LossConfig& config, double count, const Labels& labels, const Prediction& prediction,
                   LossDerivative& derivative) {
  double term = 0;
  if (config.forces_penalty.kind == PenaltyConfig::Kind::norm) count /= 3;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (!labels.has_forces[g]) continue;
    const double factor = config.forces * labels.weight[g] / count;
    for (int i = labels.first_atom[g]; i < labels.first_atom[g + 1]; ++i) {
      Vec3 slope;
      term += factor * penalise(config.forces_penalty, prediction.forces[i] - labels.forces[i], slope);
      derivative.forces[i] = factor * slope;
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
  stress_components += other.stress_components;
  structures += other.structures;
  atoms += other.atoms;
  return *this;
}

LossCounts loss_counts(const Labels& labels) {
  LossCounts counts;
  counts.structures = labels.graphs();
  counts.atoms = labels.graphs() > 0 ? labels.first_atom.back() : 0;
  for (int g = 0; g < labels.graphs(); ++g) {
    if (labels.has_energy[g]) counts.energies += 1;
    if (labels.has_forces[g]) counts.force_components += 3.0 * (labels.first_atom[g + 1] - labels.first_atom[g]);
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
  if (config.forces > 0) terms.forces = forces_term(config, counts.force_components, labels, prediction, derivative);
  if (config.stress > 0) terms.stress = stress_term(config, counts.stress_components, labels, prediction, derivative);
  return terms;
}

}  // namespace isotrope
