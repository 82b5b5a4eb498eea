// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "geometry/structure.hpp"
#include "parallel/communicator.hpp"

namespace isotrope {

/// Least squares of energies per atom over compositions, one structure after the other: min sum_s (E_s / N_s - sum_z
/// (N_sz / N_s) E0_z)^2. Memory does not grow with the structures: rows are folded into the triangular factor of a QR
/// decomposition, which loses no digits as normal equations would. Per atom, so that large structures do not dominate:
/// the residual that is reported is the one that is minimised.
class CompositionFit {
 public:
  void add(const Structure& structure);  ///< one without an energy does not count
  void add(const CompositionFit& other);
  double structures() const { return structures_; }

  struct Solution {
    std::vector<double> energies;  ///< [elements] eV
    bool unique = true;            ///< the compositions determine them all; else it is the solution of least norm
  };
  Solution solve(const std::vector<int>& elements) const;
  /// Root mean square over the structures of what E0 [elements] leaves, eV/atom; NaN without structures.
  double residual(const std::vector<int>& elements, const std::vector<double>& energies) const;

  /// Every rank then has the fit to the structures of all ranks.
  void join(const Communicator& communicator);

 private:
  int width() const { return 1 + static_cast<int>(numbers_.size()); }
  int column_of(int number);
  double* new_row();
  void fold();

  std::vector<int> numbers_;  ///< element of each column after the first, in order of appearance
  std::vector<double> rows_;  ///< [rows, width] energy per atom, parts of elements: the same squares as all data
  std::size_t count_ = 0;     ///< rows
  double structures_ = 0;
};

}  // namespace isotrope
