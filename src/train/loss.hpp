// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "train/config.hpp"

namespace isotrope {

/// Labels of a batch in the order of its graph. What a structure lacks, or may not use, is masked by its flag.
struct Labels {
  std::vector<int> first_atom;                           ///< [graphs + 1]
  std::vector<double> weight;                            ///< [graphs] of the structure times that of its config_type
  std::vector<char> has_energy, has_forces, has_stress;  ///< [graphs]
  std::vector<double> energy;                            ///< [graphs] total energy, eV
  std::vector<Vec3> forces;                              ///< [atoms] eV/Å
  std::vector<Mat3> stress;                              ///< [graphs] eV/Å^3

  int graphs() const { return static_cast<int>(weight.size()); }
};

/// What a potential says about the same batch.
struct Prediction {
  std::vector<double> energy;  ///< [graphs] total energy with E0, eV
  std::vector<Vec3> forces;    ///< [atoms] eV/Å
  std::vector<Mat3> stress;    ///< [graphs] eV/Å^3; 0 where not fully periodic
};

/// Over how many labels the means of the loss go: those of the whole batch of all ranks.
struct LossCounts {
  double energies = 0, force_components = 0, stress_components = 0;
  LossCounts& operator+=(const LossCounts& other);
};
LossCounts loss_counts(const Labels& labels);

/// The three terms, weighted; a rank has its share of them, their sum over ranks is the loss.
struct LossTerms {
  double energy = 0, forces = 0, stress = 0;
  double total() const { return energy + forces + stress; }
};

/// dL/dE [graphs], v = dL/dF [atoms] and S = dL/d(stress) [graphs], symmetric.
struct LossDerivative {
  std::vector<double> energy;
  std::vector<Vec3> forces;
  std::vector<Mat3> stress;
};

/// L = w_E mean_s(w_s p((E - E*) / N)) + w_F mean_c(w_s p(F - F*)) + w_S mean_c(w_s p(sigma - sigma*)): the means go
/// over the structures s with an energy and the components c with a label, w_s is the weight of the structure, p the
/// penalty (x^2 ...). For the penalty `norm` the mean of forces goes over atoms.
LossTerms evaluate_loss(const LossConfig& config, const LossCounts& counts, const Labels& labels,
                        const Prediction& prediction, LossDerivative& derivative);

/// Sums of errors, to be added over batches and ranks, then read as means. Masked labels do not count, weights do not
/// enter.
struct ErrorSums {
  double energies = 0, energy_abs = 0, energy_square = 0,
         energy_total_square = 0;  ///< per atom, and of whole structures
  double components = 0, force_abs = 0, force_square = 0;
  double stresses = 0, stress_abs = 0;

  void add(const Labels& labels, const Prediction& prediction);
  std::span<double> values() { return {&energies, 9}; }

  double energy_mae() const;   ///< eV/atom; NaN without a label
  double energy_rmse() const;  ///< eV/atom
  double force_mae() const;    ///< eV/Å, over components
  double force_rmse() const;   ///< eV/Å
  double stress_mae() const;   ///< eV/Å^3
};

}  // namespace isotrope
