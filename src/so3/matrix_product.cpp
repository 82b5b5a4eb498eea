// SPDX-License-Identifier: MIT
#include "so3/matrix_product.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/degree_weights.hpp"

namespace isotrope {
namespace {

/// component x_k times value is in entry (row, column) of the matrix.
struct BasisTerm {
  int component, entry;
  double value;
};
struct MatrixSource {
  int size;  ///< 2 l~ + 1
  std::vector<BasisTerm> x, y, z;
  ProductBlocks first, second, out;
};

std::vector<BasisTerm> basis_of(const Irreps& irreps, int l_matrix) {
  std::vector<BasisTerm> terms;
  std::vector<bool> seen(17, false);
  int at = 0;
  for (const Irrep& b : irreps.blocks()) {
    require(
        b.mul == 1 && b.parity == 1 && b.l <= 16 && !seen[b.l],
        "The matrix product has irreps such as 1x0e+1x1e+1x2e, each l once and even (it knows rotations only): found "
        "'{}'.",
        irreps.text());
    seen[b.l] = true;
    for (const CouplingEntry& c : wigner_3j_sparse(l_matrix, l_matrix, b.l))
      terms.push_back({at + c.m3, c.m1 * (2 * l_matrix + 1) + c.m2, std::sqrt(2 * b.l + 1.0) * c.value});
    at += 2 * b.l + 1;
  }
  return terms;
}

template <class T>
struct MatrixProduct {
  static constexpr int limit = 17 * 17;
  int n, outputs;
  View<BasisTerm> x, y, z;

  explicit MatrixProduct(const MatrixSource& s)
      : n(s.size),
        outputs(s.out.size),
        x(to_device("isotrope::matrix_product::x", s.x)),
        y(to_device("isotrope::matrix_product::y", s.y)),
        z(to_device("isotrope::matrix_product::z", s.z)) {}

  template <class A>
  KOKKOS_INLINE_FUNCTION void to_matrix(const View<BasisTerm>& basis, const typename A::Vec* x,
                                        typename A::Vec* matrix) const {
    for (int k = 0; k < n * n; ++k) matrix[k] = A::zero();
    for (int t = 0; t < static_cast<int>(basis.extent(0)); ++t)
      matrix[basis(t).entry] += static_cast<T>(basis(t).value) * x[basis(t).component];
  }
  /// The transpose, which adds.
  template <class A>
  KOKKOS_INLINE_FUNCTION void from_matrix(const View<BasisTerm>& basis, const typename A::Vec* matrix,
                                          typename A::Vec* x) const {
    for (int t = 0; t < static_cast<int>(basis.extent(0)); ++t)
      x[basis(t).component] += static_cast<T>(basis(t).value) * matrix[basis(t).entry];
  }
  /// c[i][j] = sum_k a[i a_row + k a_column] b[k b_row + j b_column]
  template <class A>
  [[gnu::noinline]] KOKKOS_FUNCTION void multiply(const typename A::Vec* a, int a_row, int a_column,
                                                  const typename A::Vec* b, int b_row, int b_column,
                                                  typename A::Vec* c) const {
    constexpr int width = 4;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; j += width) {
        const int count = n - j < width ? n - j : width;
        typename A::Vec sum[width];
        for (int q = 0; q < width; ++q) sum[q] = A::zero();
        for (int k = 0; k < n; ++k) {
          const typename A::Vec left = a[i * a_row + k * a_column];
          const typename A::Vec* right = b + k * b_row + j * b_column;
          if (count == width) {
            for (int q = 0; q < width; ++q) sum[q] += left * right[q * b_column];
          } else {
            for (int q = 0; q < count; ++q) sum[q] += left * right[q * b_column];
          }
        }
        for (int q = 0; q < count; ++q) c[i * n + j + q] = sum[q];
      }
    }
  }

  template <class A>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* xs, const typename A::Vec* ys, typename A::Vec* zs) const {
    typename A::Vec X[limit], Y[limit], Z[limit];
    to_matrix<A>(x, xs, X);
    to_matrix<A>(y, ys, Y);
    multiply<A>(X, n, 1, Y, n, 1, Z);
    for (int k = 0; k < outputs; ++k) zs[k] = A::zero();
    from_matrix<A>(z, Z, zs);
  }
  /// dX = dZ Y^T, dY = X^T dZ
  template <class A>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* xs, const typename A::Vec* ys,
                                       const typename A::Vec* g_zs, typename A::Vec* g_xs,
                                       typename A::Vec* g_ys) const {
    typename A::Vec X[limit], Y[limit], g_Z[limit], g[limit];
    to_matrix<A>(x, xs, X);
    to_matrix<A>(y, ys, Y);
    to_matrix<A>(z, g_zs, g_Z);
    multiply<A>(g_Z, n, 1, Y, 1, n, g);
    from_matrix<A>(x, g, g_xs);
    multiply<A>(X, 1, n, g_Z, n, 1, g);
    from_matrix<A>(y, g, g_ys);
  }
};
template <class T>
using MatrixProductCore = DegreeWeighted<MatrixProduct<T>>;

}  // namespace

std::unique_ptr<TensorProduct> matrix_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  // A matrix of size 2 l~ + 1 holds l <= 2 l~.
  const int largest = std::max({first.l_max(), second.l_max(), out.l_max()});
  const int l_matrix = (std::max(first.l_max() + second.l_max(), largest) + 1) / 2;
  const MatrixSource source{2 * l_matrix + 1,        basis_of(first, l_matrix), basis_of(second, l_matrix),
                            basis_of(out, l_matrix), ProductBlocks(first),      ProductBlocks(second),
                            ProductBlocks(out)};
  const long terms = static_cast<long>(source.x.size() + source.y.size() + source.z.size());
  const long cube = static_cast<long>(source.size) * source.size * source.size;
  const int weights = source.first.blocks + source.second.blocks + source.out.blocks;
  return std::make_unique<ProductOf<MatrixProductCore>>(first, second, out, weights, terms + cube, terms, source);
}

}  // namespace isotrope
