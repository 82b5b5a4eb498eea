// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "geometry/structure.hpp"

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
  void append(const Structure& structure, double structure_weight);
  void append(const Labels& others);
};

/// What a potential says about the same batch.
struct Prediction {
  std::vector<double> energy;         ///< [graphs] total energy with E0, eV
  std::vector<Vec3> forces;           ///< [atoms] eV/Å, the model's answer
  std::vector<Mat3> stress;           ///< [graphs] eV/Å^3; 0 where not fully periodic; empty: direct forces have none
  std::vector<Vec3> direct_forces{};  ///< [atoms] eV/Å, of a model that gives both kinds; else empty
};

/// Sums of errors, to be added over batches and ranks, then read as means. Masked labels do not count, weights do not
/// enter. Means are NaN without a label.
struct ErrorSums {
  double energies = 0, energy_abs = 0, energy_square = 0,
         energy_total_square = 0;  ///< per atom, and of whole structures
  double components = 0, force_abs = 0, force_square = 0;
  double stresses = 0, stress_abs = 0, stress_square = 0;

  void add(const Labels& labels, const Prediction& prediction);
  /// Structure `g` of the batch alone.
  void add(const Labels& labels, const Prediction& prediction, int g);
  std::span<double> values() { return {&energies, 10}; }

  double energy_mae() const;         ///< eV/atom
  double energy_rmse() const;        ///< eV/atom
  double energy_total_rmse() const;  ///< eV, of whole structures
  double force_mae() const;          ///< eV/Å, over components
  double force_rmse() const;         ///< eV/Å, over components
  double stress_mae() const;         ///< eV/Å^3, over the 9 components
  double stress_rmse() const;        ///< eV/Å^3
};
static_assert(sizeof(ErrorSums) == 10 * sizeof(double), "values() is every sum");

}  // namespace isotrope
