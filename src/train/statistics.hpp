// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

#include "models/potential.hpp"
#include "train/training_data.hpp"

namespace isotrope {

/// Atomic numbers that occur, ascending.
std::vector<int> elements_of(const std::vector<Sample>& samples);

/// E0 of every element, and how far sum E0 is from the energies: the root mean square over the training structures.
struct AtomicEnergies {
  std::vector<double> energies;  ///< [elements] eV
  double residual = 0;           ///< eV/atom; NaN where no structure has an energy
  std::string source;            ///< in words
  bool unique = true;            ///< least squares: whether the compositions determine them all
};

/// From isolated atoms, a table, or least squares over the compositions of the training structures (the solution of
/// least norm where they do not determine it). Throws where an element has none, or two that differ.
AtomicEnergies find_atomic_energies(const DataConfig& config, const TrainingData& data,
                                    const std::vector<int>& elements);

/// Root mean square of the force components of the labels, eV/Å; 1 where there are none.
double force_rms(const std::vector<Sample>& samples);
/// Charges and multiplicities that are labelled, ascending.
std::vector<int> charges_of(const std::vector<Sample>& samples);
std::vector<int> multiplicities_of(const std::vector<Sample>& samples);
/// Edges per atom within the cutoff (Å).
double average_neighbours(const std::vector<Sample>& samples, double cutoff);

}  // namespace isotrope
