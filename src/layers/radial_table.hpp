// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/kokkos_ext.hpp"

namespace isotrope {

/// Cubic Hermite interpolation at t in [0, 1] of an interval: factors of its first value, spacing * first slope, second
/// value, spacing * second slope; `slope` gives spacing times the derivative.
struct HermiteFactors {
  double value[4], slope[4];
};
KOKKOS_INLINE_FUNCTION HermiteFactors hermite_factors(double t) {
  return {{(1 + 2 * t) * (1 - t) * (1 - t), t * (1 - t) * (1 - t), t * t * (3 - 2 * t), t * t * (t - 1)},
          {6 * t * (t - 1), (1 - t) * (1 - 3 * t), 6 * t * (1 - t), t * (3 * t - 2)}};
}

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
