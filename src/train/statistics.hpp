// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <string>
#include <vector>

#include "core/elements.hpp"
#include "io/composition_fit.hpp"
#include "models/potential.hpp"
#include "parallel/communicator.hpp"
#include "train/batches.hpp"
#include "train/training_data.hpp"

namespace isotrope {

/// Sums over the structures of a set.
struct SetStatistics {
  std::array<double, number_of_elements + 1> atoms_of{};  ///< atoms of each element
  double atoms = 0, edges = 0;                            ///< edges within the cutoff
  double force_squares = 0, force_components = 0;         ///< of the labels
  CompositionFit fit;

  std::vector<int> elements() const;  ///< atomic numbers that occur, ascending
  double force_rms() const;           ///< of the components, eV/Å; 1 where there are none
  double average_neighbours() const;  ///< edges per atom; 1 where there are none
};

/// Streams through a set once: checks every structure, counts its edges within `cutoff` (Å) into its entry, adds up the
/// statistics. Ranks share the work and all get the whole. `known`: elements that may occur; empty: any. Throws for
/// what check_structure() and check_sample() refuse, and for other elements.
SetStatistics scan(SampleSet& set, double cutoff, const LoaderOptions& options, const Communicator& communicator,
                   const std::vector<int>& known = {});

/// E0 of every element, and how far sum E0 is from the energies: the root mean square over the training structures.
struct AtomicEnergies {
  std::vector<double> energies;  ///< [elements] eV
  double residual = 0;           ///< eV/atom; NaN where no structure has an energy
  std::string source;            ///< in words
  bool unique = true;            ///< least squares: whether the compositions determine them all
};

/// From isolated atoms, a table, or least squares over the compositions of the training structures (the solution of
/// least norm where they do not determine it). Throws where an element has none, or two that differ.
AtomicEnergies find_atomic_energies(const DataConfig& config, const TrainingData& data, const SetStatistics& train);

}  // namespace isotrope
