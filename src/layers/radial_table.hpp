// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/lane.hpp"

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

/// A table as kernels read it.
template <class T>
struct TableView {
  const T* rows = nullptr;  ///< [knots][lanes of weights][value, spacing * slope][lane width]
  int knots = 0, weights = 0;
  double begin = 0, spacing = 1;

  /// One place between two knots. A lane of weights there, and its derivative by the distance.
  struct Place {
    const T* rows;
    int weights;
    T value_factor[4], slope_factor[4];

    KOKKOS_FORCEINLINE_FUNCTION Lane<T> value(int at) const { return combine(rows + 2 * at, value_factor); }
    KOKKOS_FORCEINLINE_FUNCTION Lane<T> slope(int at) const { return combine(rows + 2 * at, slope_factor); }
    KOKKOS_FORCEINLINE_FUNCTION Lane<T> combine(const T* p, const T* factors) const {
      const T* next = p + 2 * weights;
      return load_lane(p) * factors[0] + load_lane(p + lane_width<T>) * factors[1] + load_lane(next) * factors[2] +
             load_lane(next + lane_width<T>) * factors[3];
    }
  };
  /// For an edge vector shorter than the cutoff. Below the first knot the first interval goes on.
  KOKKOS_FORCEINLINE_FUNCTION Place place(const double* r) const {
    using std::sqrt;
    const double where = (sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) - begin) / spacing;
    int k = static_cast<int>(where);
    k = k < 0 ? 0 : k < knots - 1 ? k : knots - 2;
    const HermiteFactors factors = hermite_factors(where - k);
    Place p;
    p.rows = rows + 2L * k * weights;
    p.weights = weights;
    for (int n = 0; n < 4; ++n) {
      p.value_factor[n] = static_cast<T>(factors.value[n]);
      p.slope_factor[n] = static_cast<T>(factors.slope[n] / spacing);
    }
    return p;
  }
};

/// Radial weights R_w(r) on equidistant knots of [begin, cutoff], cubic Hermite between them (values and slopes are
/// exact on the knots, the interpolant has a continuous slope). In inference it stands for the radial network: the
/// convolution reads a few lanes an edge where the network takes matrix products.
template <class T>
class RadialTable {
 public:
  /// `values` and `slopes` are [knots][weights]; the first knot is at `begin`, the last at the cutoff (Å).
  RadialTable(double begin, double cutoff, int knots, int weights, const std::vector<double>& values,
              const std::vector<double>& slopes);

  /// out [edges][weights] for edge vectors r [edges][3], shorter than the cutoff.
  void evaluate(long edges, const double* r, T* out) const;
  /// g_length[edge] += sum_w g_out[edge][w] dR_w/dr.
  void backward(long edges, const double* r, const T* g_out, double* g_length) const;

  TableView<T> view() const { return {rows_.data(), knots_, weights_, begin_, spacing_}; }

 private:
  int knots_, weights_;
  double begin_, spacing_;
  View<T> rows_;
};

}  // namespace isotrope
