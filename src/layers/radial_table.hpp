// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/kokkos_ext.hpp"

namespace isotrope {

/// Radial weights R_w(r) on equidistant knots of [begin, cutoff], cubic Hermite between them (values and slopes are
/// exact on the knots, the interpolant has a continuous slope). In inference it stands for the radial network: a few
/// lanes read an edge instead of the network's matrix products.
template <class T>
class RadialTable {
 public:
  /// `values` and `slopes` are [knots][weights]; the first knot is at `begin`, the last at the cutoff (Å). Below the
  /// first knot, where no two atoms are, the first interval goes on.
  RadialTable(double begin, double cutoff, int knots, int weights, const std::vector<double>& values,
              const std::vector<double>& slopes);

  /// out [edges][weights] for edge vectors r [edges][3], shorter than the cutoff.
  void evaluate(long edges, const double* r, T* out) const;
  /// g_length[edge] += sum_w g_out[edge][w] dR_w/dr.
  void backward(long edges, const double* r, const T* g_out, double* g_length) const;

 private:
  int knots_, weights_;
  double begin_, spacing_;
  View<T> rows_;  ///< [knots][value, spacing * slope][weights]
};

}  // namespace isotrope
