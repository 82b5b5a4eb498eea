// SPDX-License-Identifier: MIT
#include "so3/exact_product.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/product_driver.hpp"
#include "so3/small_matrix.hpp"

namespace isotrope {
namespace {

/// The paths of one (l1, l2) and one M: a dense matrix [rows][terms] from products X_m1 Y_(M - m1) to rows (l3).
struct Group {
  int x, y;   ///< centre (m = 0) of the blocks
  int m1, M;  ///< first m1
  int terms;  ///< how many m1
  int row, rows;
  int matrix;
};
/// Where a row goes: real part times sign_a to component a, imaginary part times sign_b to b; -1: nowhere.
struct GroupRow {
  int path, a, b, sign_b;
};

struct Tables {
  std::vector<Group> groups;
  std::vector<GroupRow> rows;
  std::vector<double> matrix;
};

std::vector<int> centres(const Irreps& irreps) {
  std::vector<int> places;
  int at = 0;
  for (const Irrep& b : irreps.blocks()) {
    places.push_back(at + b.l);
    at += 2 * b.l + 1;
  }
  return places;
}

/// The coefficient of X_m1 Y_m2 in row (l3, M), read off the real 3j symbol. Even l1 + l2 + l3 maps real to real part;
/// odd maps them crosswise, X + i Y -> i (X + i Y).
double coefficient(int l1, int m1, int l2, int m2, int l3) {
  const std::vector<double>& c = wigner_3j(l1, l2, l3);
  const auto at = [&](int a, int b, int m3) { return c[((l1 + a) * (2 * l2 + 1) + l2 + b) * (2 * l3 + 1) + l3 + m3]; };
  const int M = m1 + m2;
  if ((l1 + l2 + l3) % 2 == 0) return at(std::abs(m1), std::abs(m2), M);
  return M > 0 ? at(std::abs(m1), std::abs(m2), -M) : at(-std::abs(m1), std::abs(m2), 0);
}

class TableBuilder {
 public:
  TableBuilder(const Irreps& first, const Irreps& second, const Irreps& out, const std::vector<ProductPath>& paths)
      : first_(first), second_(second), out_(out), paths_(paths), into_(out.blocks().size(), 0) {
    for (const ProductPath& p : paths) ++into_[p.out];
  }

  Tables build() {
    for (std::size_t i = 0; i < first_.blocks().size(); ++i) {
      for (std::size_t j = 0; j < second_.blocks().size(); ++j) add_pair(static_cast<int>(i), static_cast<int>(j));
    }
    return std::move(tables_);
  }

 private:
  void add_pair(int i, int j) {
    const int l1 = first_.blocks()[i].l, l2 = second_.blocks()[j].l;
    for (int M = 0; M <= l1 + l2; ++M) {
      Group g{centres(first_)[i],
              centres(second_)[j],
              0,
              M,
              0,
              static_cast<int>(tables_.rows.size()),
              0,
              static_cast<int>(tables_.matrix.size())};
      // For M = 0 the products of m1 and -m1 are conjugates: one of them is enough.
      g.m1 = M == 0 ? 0 : std::max(-l1, M - l2);
      g.terms = std::min(l1, M + l2) - g.m1 + 1;
      for (std::size_t p = 0; p < paths_.size(); ++p) {
        if (paths_[p].first == i && paths_[p].second == j) add_row(g, static_cast<int>(p), l1, l2);
      }
      if (g.rows > 0) tables_.groups.push_back(g);
    }
  }

  void add_row(Group& g, int path, int l1, int l2) {
    const int l3 = out_.blocks()[paths_[path].out].l, centre = centres(out_)[paths_[path].out];
    const bool even = (l1 + l2 + l3) % 2 == 0;
    if (l3 < g.M || (g.M == 0 && !even && std::min(l1, l2) == 0)) return;
    GroupRow row{path, centre + g.M, centre - g.M, 1};
    if (!even) row = {path, centre - g.M, centre + g.M, -1};
    if (g.M == 0) (even ? row.b : row.a) = -1;
    if (g.M == 0) row.sign_b = 1;
    tables_.rows.push_back(row);
    ++g.rows;
    const double scale = std::sqrt((2 * l3 + 1.0) / into_[paths_[path].out]);
    for (int k = 0; k < g.terms; ++k)
      tables_.matrix.push_back(scale * coefficient(l1, g.m1 + k, l2, g.M - g.m1 - k, l3));
  }

  const Irreps &first_, &second_, &out_;
  const std::vector<ProductPath>& paths_;
  std::vector<int> into_;
  Tables tables_;
};

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
  const Tables& tables;
  ProductBlocks first, second;
  int outputs;
};

template <class T, bool direct>
struct ExactCore {
  static constexpr bool writes_directly = direct;
  static constexpr int most_terms = 17, block_rows = 4;
  View<Group> groups;
  View<GroupRow> rows;
  View<T> matrix;
  ProductBlocks first, second;
  int outputs;

  explicit ExactCore(const ExactSource& s) : first(s.first), second(s.second), outputs(s.outputs) {
    groups = to_device("isotrope::exact_product::groups", s.tables.groups);
    rows = to_device("isotrope::exact_product::rows", s.tables.rows);
    matrix =
        to_device("isotrope::exact_product::matrix", std::vector<T>(s.tables.matrix.begin(), s.tables.matrix.end()));
  }

  /// u[k] = X_m1 Y_(M - m1) = u[2 k] - i u[2 k + 1]
  template <class A>
  KOKKOS_INLINE_FUNCTION static void products(const Group& g, const AxisComponents<A>& x, const AxisComponents<A>& y,
                                              typename A::Vec* u) {
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
      const Group& g = groups(n);
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
  KOKKOS_INLINE_FUNCTION static void write(const GroupRow& row, const Vec* t, const W& w, const Z& z) {
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
      const Group& g = groups(n);
      Vec u[2 * most_terms], g_t[2 * most_terms], g_u[2 * most_terms];
      const T* c = matrix.data() + g.matrix;
      products<A>(g, x, y, u);
      for (int r = 0; r < g.rows; ++r) {
        const GroupRow& row = rows(g.row + r);
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
template <class T>
using DirectCore = ExactCore<T, true>;
template <class T>
using SummedCore = ExactCore<T, false>;

bool reachable(const Irrep& a, const Irrep& b, const Irrep& c) {
  return std::abs(a.l - b.l) <= c.l && c.l <= a.l + b.l && c.parity == a.parity * b.parity;
}

void check_multiplicities(const Irreps& irreps) {
  for (const Irrep& b : irreps.blocks())
    require(b.mul == 1 && b.l <= 16,
            "Irreps of a tensor product: expected blocks 1xl with l <= 16 (copies are channels), found '{}'.",
            irreps.text());
}

template <template <class> class Core>
std::unique_ptr<TensorProduct> make(const Irreps& first, const Irreps& second, const Irreps& out,
                                    const std::vector<ProductPath>& paths) {
  const Tables tables = TableBuilder(first, second, out, paths).build();
  long multiplications = 0;
  for (const Group& g : tables.groups) multiplications += 4L * g.terms + 2L * g.rows * g.terms;
  const ExactSource source{tables, ProductBlocks(first), ProductBlocks(second), components(out)};
  return std::make_unique<ProductOf<Core>>(first, second, out, static_cast<int>(paths.size()), multiplications,
                                           static_cast<long>(tables.matrix.size()), source);
}

}  // namespace

std::vector<ProductPath> exact_paths(const Irreps& first, const Irreps& second, const Irreps& out) {
  std::vector<ProductPath> paths;
  const auto size = [](const Irreps& irreps) { return static_cast<int>(irreps.blocks().size()); };
  for (int k = 0; k < size(out); ++k) {
    for (int i = 0; i < size(first); ++i) {
      for (int j = 0; j < size(second); ++j) {
        if (reachable(first.blocks()[i], second.blocks()[j], out.blocks()[k])) paths.push_back({i, j, k});
      }
    }
  }
  return paths;
}

std::unique_ptr<TensorProduct> exact_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  for (const Irreps* irreps : {&first, &second, &out}) check_multiplicities(*irreps);
  const std::vector<ProductPath> paths = exact_paths(first, second, out);
  std::vector<bool> reached(out.blocks().size(), false);
  for (const ProductPath& p : paths) reached[p.out] = true;
  for (std::size_t k = 0; k < reached.size(); ++k) {
    const Irrep& b = out.blocks()[k];
    require(reached[k], "No path leads from '{}' x '{}' to {}{}: leave it out of the output irreps '{}'.", first.text(),
            second.text(), b.l, b.parity > 0 ? 'e' : 'o', out.text());
  }
  return make<SummedCore>(first, second, out, paths);
}

std::unique_ptr<TensorProduct> full_product(const Irreps& first, const Irreps& second, int l_max) {
  check_multiplicities(first);
  check_multiplicities(second);
  struct Entry {
    int l, unnatural, i, j;
    auto operator<=>(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  for (int i = 0; i < static_cast<int>(first.blocks().size()); ++i) {
    for (int j = 0; j < static_cast<int>(second.blocks().size()); ++j) {
      const Irrep &a = first.blocks()[i], &b = second.blocks()[j];
      for (int l = std::abs(a.l - b.l); l <= std::min(a.l + b.l, l_max); ++l)
        entries.push_back({l, a.parity * b.parity == (l % 2 == 0 ? 1 : -1) ? 0 : 1, i, j});
    }
  }
  std::sort(entries.begin(), entries.end());
  std::vector<Irrep> blocks;
  std::vector<ProductPath> paths;
  for (const Entry& e : entries) {
    const int parity = first.blocks()[e.i].parity * second.blocks()[e.j].parity;
    paths.push_back({e.i, e.j, static_cast<int>(blocks.size())});
    blocks.push_back({1, e.l, parity});
  }
  return make<DirectCore>(first, second, Irreps(std::move(blocks)), paths);
}

}  // namespace isotrope
