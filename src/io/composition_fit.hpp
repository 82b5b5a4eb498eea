// SPDX-License-Identifier: MIT
#pragma once
#include <map>
#include <memory>
#include <vector>

namespace isotrope {

/// Least squares of energies per atom by the composition alone, E = sum of one energy an element, over any number of
/// structures: their rows are folded into a triangular matrix of the elements by QR, block by block.
class CompositionFit {
 public:
  CompositionFit();
  ~CompositionFit();
  void add(const std::vector<int>& numbers, double energy);  ///< eV, of the whole structure
  /// Atomic number -> eV; where the compositions do not determine them, the solution of least norm.
  std::map<int, double> energies();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isotrope
