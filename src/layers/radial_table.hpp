// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/lane_hold.hpp"

namespace isotrope {

/// Factors of the four coefficients that a cubic spline has at t in [0, 1] of an interval (uniform B-splines); `slope`
/// gives spacing times the derivative.
struct SplineFactors {
  double value[4], slope[4];
};
KOKKOS_INLINE_FUNCTION SplineFactors spline_factors(double t) {
  const double u = 1 - t;
  return {{u * u * u / 6, (t * t * (3 * t - 6) + 4) / 6, (u * u * (3 * u - 6) + 4) / 6, t * t * t / 6},
          {-u * u / 2, t * (3 * t - 4) / 2, -u * (3 * u - 4) / 2, t * t / 2}};
}

/// Distances with knots of one spacing, and a spline of their own: intervals + 3 coefficients.
struct TableStretch {
  double begin, per_spacing;  ///< Å, 1 / Å
  int first_row, intervals;
};

/// A table as kernels read it. Its stretches are of one width, so that a distance is in one that no search has to find.
template <class T>
struct TableView {
  const T* rows = nullptr;  ///< coefficients [rows][weights]
  const TableStretch* stretches = nullptr;
  int count = 0, weights = 0;
  double begin = 0, per_width = 1;

  /// One place between two knots. A lane of weights there, and what adjoints of weights make of the distance.
  struct Place {
    const T* rows;
    int weights;
    T value_factor[4], slope_factor[4];

    KOKKOS_FORCEINLINE_FUNCTION Lane<T> value(int at) const {
      Lane<T> sum = load_lane(rows + at) * value_factor[0];
#pragma GCC unroll 4
      for (int n = 1; n < 4; ++n) sum += load_lane(rows + at + n * weights) * value_factor[n];
      return sum;
    }
    /// Sums of adjoints times coefficients.
    struct Gradient {
      Lane<T> sum[4] = {Lane<T>(T(0)), Lane<T>(T(0)), Lane<T>(T(0)), Lane<T>(T(0))};
    };
    KOKKOS_FORCEINLINE_FUNCTION void add_gradient(Gradient& g_rows, int at, const Lane<T>& g) const {
      const T* const row = read_again(rows + at);
#pragma GCC unroll 4
      for (int n = 0; n < 4; ++n) g_rows.sum[n] += g * load_lane(row + n * weights);
    }
    /// Their part in the adjoint of the distance.
    KOKKOS_FORCEINLINE_FUNCTION Lane<T> by_distance(const Gradient& g_rows) const {
      Lane<T> sum = g_rows.sum[0] * slope_factor[0];
#pragma GCC unroll 4
      for (int n = 1; n < 4; ++n) sum += g_rows.sum[n] * slope_factor[n];
      return sum;
    }
  };

  static KOKKOS_FORCEINLINE_FUNCTION int within(int k, int count) {
    return k < 0 ? 0 : k < count ? k : count - 1;
  }
  /// For an edge vector shorter than the cutoff. Below the first knot the first interval goes on.
  KOKKOS_FORCEINLINE_FUNCTION Place place(const double* r) const {
    using std::sqrt;
    const double length = sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    const TableStretch& stretch = stretches[within(static_cast<int>((length - begin) * per_width), count)];
    const double where = (length - stretch.begin) * stretch.per_spacing;
    const int k = within(static_cast<int>(where), stretch.intervals);
    const SplineFactors factors = spline_factors(where - k);
    Place p;
    p.rows = rows + static_cast<long>(stretch.first_row + k) * weights;
    p.weights = weights;
    for (int n = 0; n < 4; ++n) {
      p.value_factor[n] = static_cast<T>(factors.value[n]);
      p.slope_factor[n] = static_cast<T>(factors.slope[n] * stretch.per_spacing);
    }
    return p;
  }
};

/// Radial weights R_w(r) as cubic splines, in inference in place of the radial network: the convolution reads four
/// lanes where the network takes matrix products. Knots are as dense as each stretch of distances needs them, and a
/// spline has one coefficient a knot, since what neighbours at usual distances read has to stay in cache.
template <class T>
class RadialTable {
 public:
  /// Stretches of one width (Å), of which the first may begin later; coefficients [rows][weights].
  RadialTable(double begin, double width, const std::vector<TableStretch>& stretches, int weights,
              const std::vector<double>& coefficients);

  /// out [edges][weights] for edge vectors r [edges][3], shorter than the cutoff.
  void evaluate(long edges, const double* r, T* out) const;
  /// g_length[edge] += sum_w g_out[edge][w] dR_w/dr.
  void backward(long edges, const double* r, const T* g_out, double* g_length) const;

  TableView<T> view() const {
    return {rows_.data(), stretches_.data(), static_cast<int>(stretches_.extent(0)), weights_, begin_, 1 / width_};
  }

 private:
  int weights_;
  double begin_, width_;
  View<TableStretch> stretches_;
  View<T> rows_;
};

}  // namespace isotrope
