// SPDX-License-Identifier: MIT
#include "so3/gaunt_core.hpp"

#include <algorithm>

#include "so3/degree_weights.hpp"

namespace isotrope {
namespace {

struct GauntTables {
  const GauntSource& source;
  ProductBlocks first, second, out;
};
int columns(const GauntSource& s) {
  return std::max({s.x.l_max, s.y.l_max, s.z.l_max}) + 1;
}

/// The adjoint goes the same way backwards.
template <class T>
struct GauntProduct {
  BetaTransform<T> x, y, z;
  AlphaTransform<T> alpha;

  explicit GauntProduct(const GauntTables& s)
      : x(s.source.x), y(s.source.y), z(s.source.z), alpha(s.source.n_alpha, columns(s.source) - 1) {}

  static constexpr int in_limit = 2 * 17 * grid_pairs_limit, out_limit = 2 * grid_orders_limit * grid_pairs_limit;
  static constexpr int field_limit = 2 * grid_alpha_limit;

  template <class A>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* xs, const typename A::Vec* ys, typename A::Vec* zs) const {
    using Vec = typename A::Vec;
    Vec of_x[in_limit], of_y[in_limit], of_z[out_limit];
    x.template to_orders<A>(xs, of_x);
    y.template to_orders<A>(ys, of_y);
    for (int p = 0; p < x.pairs; ++p) {
      Vec f[field_limit], g[field_limit];
      alpha.template to_angles<A>(x.l_max, of_x + p * x.width(), f);
      alpha.template to_angles<A>(y.l_max, of_y + p * y.width(), g);
      for (int j = 0; j < 2 * alpha.n; ++j) f[j] = f[j] * g[j];
      alpha.template to_orders<A>(z.l_max, f, of_z + p * z.width());
    }
    z.template project<A>(of_z, zs);
  }

  template <class A>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* xs, const typename A::Vec* ys,
                                       const typename A::Vec* g_zs, typename A::Vec* g_xs,
                                       typename A::Vec* g_ys) const {
    using Vec = typename A::Vec;
    Vec of_x[in_limit], of_y[in_limit], of_z[out_limit];
    x.template to_orders<A>(xs, of_x);
    y.template to_orders<A>(ys, of_y);
    z.template project_adjoint<A>(g_zs, of_z);
    for (int p = 0; p < x.pairs; ++p) {
      Vec f[field_limit], g[field_limit], h[field_limit];
      alpha.template to_angles<A>(x.l_max, of_x + p * x.width(), f);
      alpha.template to_angles<A>(y.l_max, of_y + p * y.width(), g);
      alpha.template to_angles<A>(z.l_max, of_z + p * z.width(), h);
      for (int j = 0; j < 2 * alpha.n; ++j) {
        f[j] = f[j] * h[j];
        g[j] = g[j] * h[j];
      }
      alpha.template to_orders<A>(x.l_max, g, of_x + p * x.width());
      alpha.template to_orders<A>(y.l_max, f, of_y + p * y.width());
    }
    x.template to_orders_adjoint<A>(of_x, g_xs);
    y.template to_orders_adjoint<A>(of_y, g_ys);
  }
};
template <class T>
using GauntCore = DegreeWeighted<GauntProduct<T>>;

long multiplications(const GauntSource& s) {
  long sum = 2L * s.x.pairs * s.n_alpha + s.x.values_multiplications() + s.y.values_multiplications() +
             s.z.integrals_multiplications();
  for (const BetaTables* t : {&s.x, &s.y, &s.z}) sum += alpha_multiplications(t->l_max, s.n_alpha, t->pairs);
  return sum;
}
long table_size(const GauntSource& s) {
  return static_cast<long>(s.x.numbers.size() + s.y.numbers.size() + s.z.numbers.size()) +
         2L * (s.n_alpha / 2 + 1) * columns(s);
}

}  // namespace

std::unique_ptr<TensorProduct> make_gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const GauntSource& source) {
  const GauntTables tables{source, ProductBlocks(first), ProductBlocks(second), ProductBlocks(out)};
  const int weights = tables.first.blocks + tables.second.blocks + tables.out.blocks;
  return std::make_unique<ProductOf<GauntCore>>(first, second, out, weights, multiplications(source),
                                                table_size(source), tables);
}

}  // namespace isotrope
