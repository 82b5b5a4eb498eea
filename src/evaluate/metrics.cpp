// SPDX-License-Identifier: MIT
#include "evaluate/metrics.hpp"

#include <cmath>
#include <limits>

namespace isotrope {
namespace {

double mean(double sum, double count) {
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void Labels::append(const Structure& s, double structure_weight) {
  if (first_atom.empty()) first_atom.push_back(0);
  first_atom.push_back(first_atom.back() + s.size());
  weight.push_back(structure_weight);
  has_energy.push_back(s.energy.has_value());
  has_forces.push_back(!s.forces.empty());
  has_stress.push_back(s.stress.has_value());
  energy.push_back(s.energy.value_or(0));
  forces.insert(forces.end(), s.forces.begin(), s.forces.end());
  forces.resize(first_atom.back());
  stress.push_back(s.stress.value_or(Mat3{}));
}

void Labels::append(const Labels& others) {
  const auto join = [](auto& all, const auto& part) { all.insert(all.end(), part.begin(), part.end()); };
  if (first_atom.empty()) first_atom.push_back(0);
  const int atoms = first_atom.back();
  for (int g = 0; g < others.graphs(); ++g) first_atom.push_back(atoms + others.first_atom[g + 1]);
  join(weight, others.weight);
  join(has_energy, others.has_energy);
  join(has_forces, others.has_forces);
  join(has_stress, others.has_stress);
  join(energy, others.energy);
  join(forces, others.forces);
  join(stress, others.stress);
}

void ErrorSums::add(const Labels& labels, const Prediction& prediction) {
  for (int g = 0; g < labels.graphs(); ++g) add(labels, prediction, g);
}

void ErrorSums::add(const Labels& labels, const Prediction& prediction, int g) {
  const double atoms = labels.first_atom[g + 1] - labels.first_atom[g];
  if (labels.has_energy[g]) {
    const double error = prediction.energy[g] - labels.energy[g];
    energies += 1;
    energy_abs += std::abs(error) / atoms;
    energy_square += (error / atoms) * (error / atoms);
    energy_total_square += error * error;
  }
  if (labels.has_forces[g]) {
    for (int i = labels.first_atom[g]; i < labels.first_atom[g + 1]; ++i) {
      const Vec3 error = prediction.forces[i] - labels.forces[i];
      for (double e : error) force_abs += std::abs(e);
      force_square += dot(error, error);
    }
    components += 3 * atoms;
  }
  if (labels.has_stress[g] && !prediction.stress.empty()) {
    for (int a = 0; a < 3; ++a) {
      const Vec3 error = prediction.stress[g][a] - labels.stress[g][a];
      for (double e : error) stress_abs += std::abs(e);
      stress_square += dot(error, error);
    }
    stresses += 9;
  }
}

double ErrorSums::energy_mae() const {
  return mean(energy_abs, energies);
}
double ErrorSums::energy_rmse() const {
  return std::sqrt(mean(energy_square, energies));
}
double ErrorSums::energy_total_rmse() const {
  return std::sqrt(mean(energy_total_square, energies));
}
double ErrorSums::force_mae() const {
  return mean(force_abs, components);
}
double ErrorSums::force_rmse() const {
  return std::sqrt(mean(force_square, components));
}
double ErrorSums::stress_mae() const {
  return mean(stress_abs, stresses);
}
double ErrorSums::stress_rmse() const {
  return std::sqrt(mean(stress_square, stresses));
}

}  // namespace isotrope
