// SPDX-License-Identifier: MIT
#pragma once
#include <cmath>
#include <numbers>
#include <vector>

#include "core/irreps.hpp"
#include "core/kokkos_ext.hpp"
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

inline constexpr int grid_pairs_limit = 9;    ///< of nodes in cos(beta): degree 34
inline constexpr int grid_alpha_limit = 35;   ///< angles
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
  [[gnu::noinline]] KOKKOS_FUNCTION void to_angles(int l, const typename A::Vec* coefficients,
                                                   typename A::Vec* field) const {
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
  [[gnu::noinline]] KOKKOS_FUNCTION void to_orders(int l, typename A::Vec* field, typename A::Vec* coefficients) const {
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

/// The step along beta between the blocks of one operand (1xl of natural parity, different l) and the orders at all
/// pairs of nodes, [pair][order][node], before it is copied to where kernels read it. For each m, blocks with l + m
/// even and odd are apart: the values at mirrored nodes are even + odd and even - odd. Values and integrals each are
/// one matrix [pairs][blocks] or the product of two, [pairs][waves] [waves][blocks].
struct BetaTables {
  struct Chain {
    int waves = 0;      ///< 0: one matrix
    int of_blocks = 0;  ///< [waves][blocks], or [pairs][blocks]
    int of_waves = 0;   ///< [pairs][waves]
  };
  struct Class {
    int blocks = 0, centre = 0;  ///< where the components m = 0 of its blocks are listed
    Chain values, integrals;
  };
  int pairs = 0, l_max = 0;
  std::vector<Class> classes;  ///< [m][l + m even, odd]
  std::vector<int> centres;
  std::vector<double> numbers;

  /// Multiplications of one application.
  long values_multiplications() const;
  long integrals_multiplications() const;
};

/// P_lm at the nodes, and times the weight of a point.
BetaTables legendre_tables(const Irreps& irreps, const SphereGrid& grid);

/// Blocks of the class (m, parity of l + m): their l, their central components appended to the tables.
std::vector<int> start_class(BetaTables& tables, const Irreps& irreps, int m, int parity);

template <class T>
struct BetaTransform {
  using Chain = BetaTables::Chain;
  static constexpr int waves_limit = 10, blocks_limit = 17;
  int pairs = 0, l_max = 0;
  View<BetaTables::Class> classes;
  View<int> centres;
  View<T> numbers;

  explicit BetaTransform(const BetaTables& tables)
      : pairs(tables.pairs),
        l_max(tables.l_max),
        classes(to_device("isotrope::sphere_grid::classes", tables.classes)),
        centres(to_device("isotrope::sphere_grid::centres", tables.centres)),
        numbers(to_device("isotrope::sphere_grid::numbers",
                          std::vector<T>(tables.numbers.begin(), tables.numbers.end()))) {}

  KOKKOS_INLINE_FUNCTION int width() const { return 2 * (2 * l_max + 1); }  ///< numbers of a pair

  /// Values on the nodes of the function with these coefficients, and its adjoint, which adds.
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_orders(const typename A::Vec* x, typename A::Vec* orders) const {
    spread<A>(&BetaTables::Class::values, x, orders);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_orders_adjoint(const typename A::Vec* g_orders, typename A::Vec* g_x) const {
    collect<A, true>(&BetaTables::Class::values, g_orders, g_x);
  }
  /// Means over the sphere with each harmonic, and the adjoint.
  template <class A>
  KOKKOS_INLINE_FUNCTION void project(const typename A::Vec* orders, typename A::Vec* z) const {
    collect<A, false>(&BetaTables::Class::integrals, orders, z);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void project_adjoint(const typename A::Vec* g_z, typename A::Vec* g_orders) const {
    spread<A>(&BetaTables::Class::integrals, g_z, g_orders);
  }

 private:
  template <class A>
  [[gnu::noinline]] KOKKOS_FUNCTION void spread(Chain BetaTables::Class::*which, const typename A::Vec* x,
                                                typename A::Vec* orders) const {
    using Vec = typename A::Vec;
    for (int m = 0; m <= l_max; ++m) {
      Vec nodes[2][2 * grid_pairs_limit];
      for (int parity = 0; parity < 2; ++parity) {
        const BetaTables::Class& c = classes(2 * m + parity);
        const Chain& chain = c.*which;
        Vec v[2 * blocks_limit], series[2 * waves_limit];
        for (int k = 0; k < c.blocks; ++k) {
          v[2 * k] = x[centres(c.centre + k) + m];
          v[2 * k + 1] = x[centres(c.centre + k) - m];
        }
        const T* of_blocks = numbers.data() + chain.of_blocks;
        if (chain.waves == 0) {
          multiply<A, 2>(pairs, c.blocks, of_blocks, c.blocks, 1, v, nodes[parity]);
        } else {
          multiply<A, 2>(chain.waves, c.blocks, of_blocks, c.blocks, 1, v, series);
          multiply<A, 2>(pairs, chain.waves, numbers.data() + chain.of_waves, chain.waves, 1, series, nodes[parity]);
        }
      }
      for (int p = 0; p < pairs; ++p) {
        Vec* at = orders + p * width() + 2 * m;
        for (int s = 0; s < (m == 0 ? 1 : 2); ++s, at += 2 * l_max) {
          at[0] = nodes[0][2 * p + s] + nodes[1][2 * p + s];
          at[1] = nodes[0][2 * p + s] - nodes[1][2 * p + s];
        }
      }
    }
  }

  template <class A, bool add>
  [[gnu::noinline]] KOKKOS_FUNCTION void collect(Chain BetaTables::Class::*which, const typename A::Vec* orders,
                                                 typename A::Vec* z) const {
    using Vec = typename A::Vec;
    for (int m = 0; m <= l_max; ++m) {
      Vec nodes[2][2 * grid_pairs_limit];
      for (int p = 0; p < pairs; ++p) {
        const Vec* at = orders + p * width() + 2 * m;
        for (int s = 0; s < 2; ++s, at += m == 0 ? 0 : 2 * l_max) {
          nodes[0][2 * p + s] = at[0] + at[1];
          nodes[1][2 * p + s] = at[0] - at[1];
        }
      }
      for (int parity = 0; parity < 2; ++parity) {
        const BetaTables::Class& c = classes(2 * m + parity);
        const Chain& chain = c.*which;
        Vec v[2 * blocks_limit], series[2 * waves_limit];
        const T* of_blocks = numbers.data() + chain.of_blocks;
        if (chain.waves == 0) {
          multiply<A, 2>(c.blocks, pairs, of_blocks, 1, c.blocks, nodes[parity], v);
        } else {
          multiply<A, 2>(chain.waves, pairs, numbers.data() + chain.of_waves, 1, chain.waves, nodes[parity], series);
          multiply<A, 2>(c.blocks, chain.waves, of_blocks, 1, c.blocks, series, v);
        }
        for (int k = 0; k < c.blocks; ++k) put<add>(v + 2 * k, m, z + centres(c.centre + k));
      }
    }
  }
  template <bool add, class Vec>
  KOKKOS_INLINE_FUNCTION static void put(const Vec* v, int m, Vec* centre) {
    if constexpr (add) {
      if (m > 0) centre[-m] += v[1];
      centre[m] += v[0];
    } else {
      centre[-m] = v[1];
      centre[m] = v[0];  // last: for m = 0 the two are one
    }
  }
};

/// Throws unless every block is 1xl with l <= 16, of natural parity, no l twice: what a function on the sphere has.
void check_scalar_field(const Irreps& irreps);

/// Multiplications of the trigonometric step at all pairs of nodes.
long alpha_multiplications(int l, int n_alpha, int pairs);

}  // namespace isotrope
