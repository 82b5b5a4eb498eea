// SPDX-License-Identifier: MIT
#pragma once
#include <cmath>
#include <numbers>
#include <vector>

#include "core/irreps.hpp"
#include "core/kokkos_ext.hpp"
#include "so3/product_driver.hpp"
#include "so3/small_matrix.hpp"

/// Functions on the sphere, f = sum x_lm Y_lm, on a grid: Gauss-Legendre nodes in cos(beta) (beta from the polar axis
/// y), uniform alpha. A sum over the grid is exact for polynomials of degree D if n_beta >= (D + 1) / 2 and n_alpha >=
/// D +
/// 1. Transforms are separable: a Legendre step for each order m, then a real trigonometric matrix in alpha. Both
/// are halved by mirror symmetry: nodes come in pairs +-cos(beta), which see l + m even and odd alike but for a sign,
/// and angles in pairs +-alpha, which see cosines and sines so.
namespace isotrope {

struct SphereGrid {
  std::vector<double> cos_beta;  ///< ascending
  std::vector<double> weight;    ///< of a node in cos(beta), their sum is 1
  int n_alpha = 0;               ///< alpha_j = 2 pi j / n_alpha

  /// The smallest grid that is exact for products whose degrees sum to `degree`.
  static SphereGrid exact_for(int degree);
  static SphereGrid of_size(int n_beta, int n_alpha);
};

/// Nodes, ascending, and weights on [-1, 1], by Newton's method.
void gauss_legendre(int n, std::vector<double>& nodes, std::vector<double>& weights);
/// P_lm of Y_lm = P_lm cos(m alpha), Y_l-m = P_lm sin(m alpha) at cos(beta) = y; element l (l + 1) / 2 + m.
std::vector<double> normalised_legendre(int l_max, double y);

inline constexpr int grid_pairs_limit = 9;    ///< of nodes in cos(beta): degree 32
inline constexpr int grid_alpha_limit = 33;   ///< angles
inline constexpr int grid_orders_limit = 33;  ///< orders -l ... l, l <= 16

/// The trigonometric step for one pair of nodes. Fields are [alpha][node of the pair], coefficients [order][node], the
/// orders cos 0 ... cos l, sin 1 ... sin l.
template <class T>
struct AlphaTransform {
  int n = 0, columns = 0;
  View<T> cosine, sine;  ///< [j][m], m < columns

  AlphaTransform() = default;
  AlphaTransform(int n_alpha, int l_max) : n(n_alpha), columns(l_max + 1) {
    std::vector<T> c, s;
    for (int j = 0; j <= n / 2; ++j) {
      for (int m = 0; m <= l_max; ++m) {
        const double angle = 2 * std::numbers::pi * ((j * m) % n) / n;
        c.push_back(static_cast<T>(std::cos(angle)));
        s.push_back(static_cast<T>(std::sin(angle)));
      }
    }
    cosine = to_device("isotrope::sphere_grid::cosine", c);
    sine = to_device("isotrope::sphere_grid::sine", s);
  }
  /// Angles with a mirror image of their own.
  KOKKOS_INLINE_FUNCTION int mirrored() const { return (n - 1) / 2; }

  template <class A>
  KOKKOS_INLINE_FUNCTION void to_angles(int l, const typename A::Vec* coefficients, typename A::Vec* field) const {
    typename A::Vec odd[grid_alpha_limit + 1];
    multiply<A, 2>(n / 2 + 1, l + 1, cosine.data(), columns, 1, coefficients, field);
    if (l == 0) {
      for (int j = 1; j <= mirrored(); ++j) {
        for (int s = 0; s < 2; ++s) field[2 * (n - j) + s] = field[2 * j + s];
      }
      return;
    }
    multiply<A, 2>(mirrored(), l, sine.data() + columns + 1, columns, 1, coefficients + 2 * (l + 1), odd);
    for (int j = 1; j <= mirrored(); ++j) {
      for (int s = 0; s < 2; ++s) {
        field[2 * (n - j) + s] = field[2 * j + s] - odd[2 * (j - 1) + s];
        field[2 * j + s] = field[2 * j + s] + odd[2 * (j - 1) + s];
      }
    }
  }
  /// The transpose; the field is overwritten.
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_orders(int l, typename A::Vec* field, typename A::Vec* coefficients) const {
    typename A::Vec odd[grid_alpha_limit + 1];
    for (int j = 1; j <= mirrored(); ++j) {
      for (int s = 0; s < 2; ++s) {
        odd[2 * (j - 1) + s] = field[2 * j + s] - field[2 * (n - j) + s];
        field[2 * j + s] = field[2 * j + s] + field[2 * (n - j) + s];
      }
    }
    multiply<A, 2>(l + 1, n / 2 + 1, cosine.data(), 1, columns, field, coefficients);
    if (l > 0) multiply<A, 2>(l, mirrored(), sine.data() + columns + 1, 1, columns, odd, coefficients + 2 * (l + 1));
  }
};

/// The Legendre step between the blocks of one operand, 1xl of natural parity with different l, and the orders at all
/// pairs of nodes: [pair][order][node].
template <class T>
struct LegendreTransform {
  struct Order {
    int centre;     ///< where the list of its blocks begins
    int even, odd;  ///< blocks with l + m even come first, then odd
    int matrix;     ///< of the even ones [pair][even], then [pair][odd]
  };
  int pairs = 0, l_max = 0;
  View<Order> orders;        ///< [l_max + 1]
  View<int> centres;         ///< component m = 0 of each block of an order
  View<T> matrix, weighted;  ///< P_lm, and times the weight of a node and of an angle

  LegendreTransform() = default;
  LegendreTransform(const Irreps& irreps, const SphereGrid& grid);

  KOKKOS_INLINE_FUNCTION int width() const { return 2 * (2 * l_max + 1); }  ///< numbers of a pair

  template <class A>
  KOKKOS_INLINE_FUNCTION void to_orders(const typename A::Vec* x, typename A::Vec* coefficients) const {
    using Vec = typename A::Vec;
    for (int m = 0; m <= l_max; ++m) {
      const Order& order = orders(m);
      Vec v[2 * 17], even[2 * grid_pairs_limit], odd[2 * grid_pairs_limit];
      for (int k = 0; k < order.even + order.odd; ++k) {
        const int centre = centres(order.centre + k);
        v[2 * k] = x[centre + m];
        v[2 * k + 1] = x[centre - m];
      }
      multiply<A, 2>(pairs, order.even, matrix.data() + order.matrix, order.even, 1, v, even);
      multiply<A, 2>(pairs, order.odd, matrix.data() + order.matrix + pairs * order.even, order.odd, 1,
                     v + 2 * order.even, odd);
      for (int p = 0; p < pairs; ++p) {
        Vec* c = coefficients + p * width() + 2 * m;
        c[0] = even[2 * p] + odd[2 * p];
        c[1] = even[2 * p] - odd[2 * p];
        if (m == 0) continue;
        c += 2 * l_max;
        c[0] = even[2 * p + 1] + odd[2 * p + 1];
        c[1] = even[2 * p + 1] - odd[2 * p + 1];
      }
    }
  }
  /// Integral over the sphere (its mean) with each harmonic: z is written, or added to.
  template <class A, bool add = false>
  KOKKOS_INLINE_FUNCTION void project(const typename A::Vec* coefficients, typename A::Vec* z) const {
    using Vec = typename A::Vec;
    for (int m = 0; m <= l_max; ++m) {
      const Order& order = orders(m);
      Vec even[2 * grid_pairs_limit], odd[2 * grid_pairs_limit], v[2 * 17];
      for (int p = 0; p < pairs; ++p) {
        const Vec *c = coefficients + p * width() + 2 * m, *s = m > 0 ? c + 2 * l_max : c;
        even[2 * p] = c[0] + c[1];
        odd[2 * p] = c[0] - c[1];
        even[2 * p + 1] = s[0] + s[1];
        odd[2 * p + 1] = s[0] - s[1];
      }
      multiply<A, 2>(order.even, pairs, weighted.data() + order.matrix, 1, order.even, even, v);
      multiply<A, 2>(order.odd, pairs, weighted.data() + order.matrix + pairs * order.even, 1, order.odd, odd,
                     v + 2 * order.even);
      for (int k = 0; k < order.even + order.odd; ++k) {
        const int centre = centres(order.centre + k);
        if constexpr (add) {
          if (m > 0) z[centre - m] += v[2 * k + 1];
          z[centre + m] += v[2 * k];
        } else {
          z[centre - m] = v[2 * k + 1];
          z[centre + m] = v[2 * k];  // last: for m = 0 the two are one
        }
      }
    }
  }
};

/// Throws unless every block is 1xl with l <= 16, of natural parity, no l twice: what a function on the sphere has.
void check_scalar_field(const Irreps& irreps);

/// Multiplications of the two steps, for one operand.
long grid_multiplications(const Irreps& irreps, const SphereGrid& grid);

}  // namespace isotrope
