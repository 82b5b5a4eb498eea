// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "evaluate/metrics.hpp"
#include "train/config.hpp"

namespace isotrope {

/// Over how many labels the means of the loss go: those of the whole batch of all ranks.
struct LossCounts {
  double energies = 0, force_components = 0, stress_components = 0, force_structures = 0;
  LossCounts& operator+=(const LossCounts& other);
};
LossCounts loss_counts(const Labels& labels);

/// The terms, weighted; a rank has its share of them, their sum over ranks is the loss.
struct LossTerms {
  double energy = 0, forces = 0, stress = 0, direct_forces = 0;
  double total() const { return energy + forces + stress + direct_forces; }
};

/// dL/dE [graphs], v = dL/dF [atoms], S = dL/d(stress) [graphs], symmetric; and dL/dF of the direct forces of a model
/// that has both kinds [atoms], empty where they are not in the loss.
struct LossDerivative {
  std::vector<double> energy;
  std::vector<Vec3> forces;
  std::vector<Mat3> stress;
  std::vector<Vec3> direct_forces;
};

/// L = w_E mean_s(w_s p((E - E*) / N)) + w_F mean_c(w_s p(F - F*)) + w_S mean_c(w_s p(sigma - sigma*)): the means go
/// over the structures s with an energy and the components c with a label, w_s is the weight of the structure, p the
/// penalty (x^2 ...). For the penalty `norm` the mean of forces goes over atoms, for `rmse` over structures. With
/// `energy_of: structure` the energy is not divided by N. Direct forces beside gradient forces have a term of their
/// own, w_D, with the penalty of forces.
LossTerms evaluate_loss(const LossConfig& config, const LossCounts& counts, const Labels& labels,
                        const Prediction& prediction, LossDerivative& derivative);

}  // namespace isotrope
