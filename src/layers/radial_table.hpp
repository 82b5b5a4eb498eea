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

  /// One place between two knots. A lane of weights there, and what adjoints of weights make of the distance. With the
  /// step from one value to the next three factors are enough: those of the values add up to one.
  struct Place {
    const T* rows;
    int weights;
    T value_factor[3], slope_factor[3];  ///< of the step, the first and the second slope

    KOKKOS_FORCEINLINE_FUNCTION Lane<T> value(int at) const {
      const T *p = rows + 2 * at, *next = p + 2 * weights;
      const Lane<T> first = load_lane(p);
      return first + (load_lane(next) - first) * value_factor[0] + load_lane(p + lane_width<T>) * value_factor[1] +
             load_lane(next + lane_width<T>) * value_factor[2];
    }
    /// Sums of adjoints times what the factors multiply.
    struct Gradient {
      Lane<T> step{T(0)}, first{T(0)}, second{T(0)};
    };
    KOKKOS_FORCEINLINE_FUNCTION void add_gradient(Gradient& sum, int at, const Lane<T>& g) const {
      const T *p = rows + 2 * at, *next = p + 2 * weights;
      sum.step += g * (load_lane(next) - load_lane(p));
      sum.first += g * load_lane(p + lane_width<T>);
      sum.second += g * load_lane(next + lane_width<T>);
    }
    /// Their part in the adjoint of the distance.
    KOKKOS_FORCEINLINE_FUNCTION Lane<T> by_distance(const Gradient& sum) const {
      return sum.step * slope_factor[0] + sum.first * slope_factor[1] + sum.second * slope_factor[2];
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
    constexpr int of[] = {2, 1, 3};
    for (int n = 0; n < 3; ++n) {
      p.value_factor[n] = static_cast<T>(factors.value[of[n]]);
      p.slope_factor[n] = static_cast<T>(factors.slope[of[n]] / spacing);
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
