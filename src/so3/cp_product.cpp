// SPDX-License-Identifier: MIT
#include "so3/cp_product.hpp"

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/degree_weights.hpp"
#include "so3/exact_product.hpp"
#include "so3/small_matrix.hpp"

namespace isotrope {
namespace {

struct CpSource {
  const CpFactors& factors;
  ProductBlocks first, second, out;
};

template <class T>
struct CpProduct {
  static constexpr int rank_limit = 256;
  int rank, n1, n2, n3;
  View<T> a, b, c;  ///< [components][rank]

  explicit CpProduct(const CpSource& s) : rank(s.factors.rank), n1(s.first.size), n2(s.second.size), n3(s.out.size) {
    const auto copy = [](const std::vector<double>& x) {
      return to_device("isotrope::cp_product::factor", std::vector<T>(x.begin(), x.end()));
    };
    a = copy(s.factors.first);
    b = copy(s.factors.second);
    c = copy(s.factors.out);
  }

  /// [rank] from components.
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_rank(const View<T>& factor, int n, const typename A::Vec* x,
                                      typename A::Vec* r) const {
    multiply<A, 1>(rank, n, factor.data(), 1, rank, x, r);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void from_rank(const View<T>& factor, int n, const typename A::Vec* r,
                                        typename A::Vec* x) const {
    multiply<A, 1>(n, rank, factor.data(), rank, 1, r, x);
  }

  template <class A>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* x, const typename A::Vec* y, typename A::Vec* z) const {
    typename A::Vec u[rank_limit], v[rank_limit];
    to_rank<A>(a, n1, x, u);
    to_rank<A>(b, n2, y, v);
    for (int r = 0; r < rank; ++r) u[r] = u[r] * v[r];
    from_rank<A>(c, n3, u, z);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* x, const typename A::Vec* y, const typename A::Vec* g_z,
                                       typename A::Vec* g_x, typename A::Vec* g_y) const {
    using Vec = typename A::Vec;
    Vec u[rank_limit], v[rank_limit], g[rank_limit], back[product_inputs_limit];
    to_rank<A>(a, n1, x, u);
    to_rank<A>(b, n2, y, v);
    to_rank<A>(c, n3, g_z, g);
    for (int r = 0; r < rank; ++r) {
      v[r] = v[r] * g[r];
      u[r] = u[r] * g[r];
    }
    from_rank<A>(a, n1, v, back);
    for (int k = 0; k < n1; ++k) g_x[k] += back[k];
    from_rank<A>(b, n2, u, back);
    for (int k = 0; k < n2; ++k) g_y[k] += back[k];
  }
};
template <class T>
using CpCore = DegreeWeighted<CpProduct<T>>;

}  // namespace

std::vector<double> coupling_tensor(const Irreps& first, const Irreps& second, const Irreps& out) {
  const int n2 = components(second), n3 = components(out);
  std::vector<double> tensor(static_cast<std::size_t>(components(first)) * n2 * n3, 0.0);
  const auto offset = [](const Irreps& irreps, int block) {
    int at = 0;
    for (int b = 0; b < block; ++b) at += 2 * irreps.blocks()[b].l + 1;
    return at;
  };
  for (const ProductPath& p : exact_paths(first, second, out)) {
    const int i = offset(first, p.first), j = offset(second, p.second), k = offset(out, p.out);
    for (const CouplingEntry& c :
         wigner_3j_sparse(first.blocks()[p.first].l, second.blocks()[p.second].l, out.blocks()[p.out].l))
      tensor[((i + c.m1) * n2 + j + c.m2) * n3 + k + c.m3] += c.value;
  }
  return tensor;
}

std::unique_ptr<TensorProduct> cp_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                          const CpFactors& factors) {
  const CpSource source{factors, ProductBlocks(first), ProductBlocks(second), ProductBlocks(out)};
  const auto fits = [&](const std::vector<double>& factor, const ProductBlocks& blocks) {
    return factor.size() == static_cast<std::size_t>(blocks.size) * factors.rank;
  };
  require(fits(factors.first, source.first) && fits(factors.second, source.second) && fits(factors.out, source.out) &&
              factors.rank <= CpProduct<float>::rank_limit,
          "CP factors of rank {} do not fit '{}' x '{}' -> '{}': expected {} + {} + {} rows and a rank up to {}.",
          factors.rank, first.text(), second.text(), out.text(), source.first.size, source.second.size, source.out.size,
          CpProduct<float>::rank_limit);
  const long tables = static_cast<long>(factors.rank) * (source.first.size + source.second.size + source.out.size);
  const int weights = source.first.blocks + source.second.blocks + source.out.blocks;
  return std::make_unique<ProductOf<CpCore>>(first, second, out, weights, tables + factors.rank, tables, source);
}

}  // namespace isotrope
