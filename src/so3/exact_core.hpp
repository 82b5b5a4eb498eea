// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "so3/exact_product.hpp"
#include "so3/product_driver.hpp"
#include "so3/small_matrix.hpp"

/// The kernel of exact products, see exact_product.hpp.
namespace isotrope {

/// The paths of one (l1, l2) and one M: a dense matrix [rows][terms] from products X_m1 Y_(M - m1) to rows (l3).
struct ExactGroup {
  int x, y;   ///< centre (m = 0) of the blocks
  int m1, M;  ///< first m1
  int terms;  ///< how many m1
  int row, rows;
  int matrix;
};
/// Where a row goes: the real part to component a, the imaginary part times sign_b to b; -1: nowhere.
struct ExactRow {
  int path, a, b, sign_b;
};

struct ExactTables {
  std::vector<ExactGroup> groups;
  std::vector<ExactRow> rows;
  std::vector<double> matrix;

  long multiplications() const {
    long sum = 0;
    for (const ExactGroup& g : groups) sum += 4L * g.terms + 2L * g.rows * g.terms;
    return sum;
  }
};
/// scale[p] times the Wigner 3j symbol of every path.
ExactTables exact_tables(const Irreps& first, const Irreps& second, const Irreps& out,
                         const std::vector<ProductPath>& paths, const std::vector<double>& scale);

/// Of x, in the complex components about the axis: X_m = re[m] - i im[m] with re[-m] = re[m], im[-m] = -im[m].
template <class A>
struct AxisComponents {
  using Vec = typename A::Vec;
  Vec re[product_inputs_limit], im[product_inputs_limit];

  KOKKOS_INLINE_FUNCTION void split(const ProductBlocks& blocks, const Vec* x) {
    for (int b = 0; b < blocks.blocks; ++b) {
      const int l = (blocks.begin(b + 1) - blocks.begin(b)) / 2, centre = blocks.begin(b) + l;
      re[centre] = x[centre];
      im[centre] = A::zero();
      for (int m = 1; m <= l; ++m) {
        re[centre + m] = re[centre - m] = x[centre + m];
        im[centre + m] = x[centre - m];
        im[centre - m] = -x[centre - m];
      }
    }
  }
  KOKKOS_INLINE_FUNCTION void clear(int size) {
    for (int k = 0; k < size; ++k) re[k] = im[k] = A::zero();
  }
  /// Adjoint of split.
  KOKKOS_INLINE_FUNCTION void join(const ProductBlocks& blocks, Vec* g) const {
    for (int b = 0; b < blocks.blocks; ++b) {
      const int l = (blocks.begin(b + 1) - blocks.begin(b)) / 2, centre = blocks.begin(b) + l;
      g[centre] += re[centre];
      for (int m = 1; m <= l; ++m) {
        g[centre + m] += re[centre + m] + re[centre - m];
        g[centre - m] += im[centre + m] - im[centre - m];
      }
    }
  }
};

/// Source of the tables of a core.
struct ExactSource {
  const ExactTables& tables;
  ProductBlocks first, second, out;
};

template <class T, bool direct>
struct ExactCore {
  static constexpr bool writes_directly = direct;
  static constexpr int most_terms = 17, block_rows = 4;
  View<ExactGroup> groups;
  View<ExactRow> rows;
  View<T> matrix;
  ProductBlocks first, second;
  int outputs;

  explicit ExactCore(const ExactSource& s) : first(s.first), second(s.second), outputs(s.out.size) {
    groups = to_device("isotrope::exact_product::groups", s.tables.groups);
    rows = to_device("isotrope::exact_product::rows", s.tables.rows);
    matrix =
        to_device("isotrope::exact_product::matrix", std::vector<T>(s.tables.matrix.begin(), s.tables.matrix.end()));
  }

  /// u[k] = X_m1 Y_(M - m1) = u[2 k] - i u[2 k + 1]
  template <class A>
  KOKKOS_INLINE_FUNCTION static void products(const ExactGroup& g, const AxisComponents<A>& x,
                                              const AxisComponents<A>& y, typename A::Vec* u) {
    for (int k = 0; k < g.terms; ++k) {
      const int i = g.x + g.m1 + k, j = g.y + g.M - g.m1 - k;
      u[2 * k] = x.re[i] * y.re[j] - x.im[i] * y.im[j];
      u[2 * k + 1] = x.re[i] * y.im[j] + x.im[i] * y.re[j];
    }
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* x_in, const typename A::Vec* y_in, const W& w,
                                      const Z& z) const {
    using Vec = typename A::Vec;
    AxisComponents<A> x, y;
    x.split(first, x_in);
    y.split(second, y_in);
    if constexpr (!direct) {
      for (int k = 0; k < outputs; ++k) z.set(k, A::zero());
    }
    for (int n = 0; n < static_cast<int>(groups.extent(0)); ++n) {
      const ExactGroup& g = groups(n);
      Vec u[2 * most_terms], t[2 * block_rows];
      products<A>(g, x, y, u);
      for (int r = 0; r < g.rows; r += block_rows) {
        const int count = g.rows - r < block_rows ? g.rows - r : block_rows;
        multiply<A, 2>(count, g.terms, matrix.data() + g.matrix + r * g.terms, g.terms, 1, u, t);
        for (int k = 0; k < count; ++k) write(rows(g.row + r + k), t + 2 * k, w, z);
      }
    }
  }
  template <class Vec, class W, class Z>
  KOKKOS_INLINE_FUNCTION static void write(const ExactRow& row, const Vec* t, const W& w, const Z& z) {
    if (row.a >= 0) put(z, row.a, w.times(row.path, t[0]));
    if (row.b >= 0) put(z, row.b, w.times(row.path, row.sign_b > 0 ? t[1] : Vec(-t[1])));
  }
  template <class Vec, class Z>
  KOKKOS_INLINE_FUNCTION static void put(const Z& z, int k, const Vec& value) {
    if constexpr (direct) {
      z.set(k, value);
    } else {
      z.add(k, value);
    }
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* x_in, const typename A::Vec* y_in, const W& w,
                                       const Z& g_z, typename A::Vec* g_x_out, typename A::Vec* g_y_out,
                                       const W* g_w) const {
    using Vec = typename A::Vec;
    AxisComponents<A> x, y, g_x, g_y;
    x.split(first, x_in);
    y.split(second, y_in);
    g_x.clear(first.size);
    g_y.clear(second.size);
    for (int n = 0; n < static_cast<int>(groups.extent(0)); ++n) {
      const ExactGroup& g = groups(n);
      Vec u[2 * most_terms], g_t[2 * most_terms], g_u[2 * most_terms];
      const T* c = matrix.data() + g.matrix;
      products<A>(g, x, y, u);
      for (int r = 0; r < g.rows; ++r) {
        const ExactRow& row = rows(g.row + r);
        g_t[2 * r] = row.a >= 0 ? g_z.get(row.a) : A::zero();
        g_t[2 * r + 1] = row.b >= 0 ? g_z.get(row.b) : A::zero();
        if (row.sign_b < 0) g_t[2 * r + 1] = -g_t[2 * r + 1];
        if (g_w) {
          Vec t[2];
          multiply<A, 2>(1, g.terms, c + r * g.terms, g.terms, 1, u, t);
          g_w->add(row.path, g_t[2 * r] * t[0] + g_t[2 * r + 1] * t[1]);
        }
        if (w.any()) {
          for (int s = 0; s < 2; ++s) g_t[2 * r + s] = w.times(row.path, g_t[2 * r + s]);
        }
      }
      multiply<A, 2>(g.terms, g.rows, c, 1, g.terms, g_t, g_u);
      for (int k = 0; k < g.terms; ++k) {
        const int i = g.x + g.m1 + k, j = g.y + g.M - g.m1 - k;
        const Vec &a = g_u[2 * k], &b = g_u[2 * k + 1];
        g_x.re[i] += a * y.re[j] + b * y.im[j];
        g_x.im[i] += b * y.re[j] - a * y.im[j];
        g_y.re[j] += a * x.re[i] + b * x.im[i];
        g_y.im[j] += b * x.re[i] - a * x.im[i];
      }
    }
    g_x.join(first, g_x_out);
    g_y.join(second, g_y_out);
  }
};

}  // namespace isotrope
