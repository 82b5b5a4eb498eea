// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>

#include "so3/degree_weights.hpp"
#include "so3/sphere_grid.hpp"

namespace isotrope {

/// What a Gaunt product is made from: for x, y, z the step along beta, Legendre or Fourier.
struct GauntSource {
  BetaTables x, y, z;
  int n_alpha;
  ProductBlocks first, second, out;

  long multiplications() const {
    long sum = 2L * x.pairs * n_alpha + x.values_multiplications() + y.values_multiplications() +
               z.integrals_multiplications();
    for (const BetaTables* t : {&x, &y, &z}) sum += alpha_multiplications(t->l_max, n_alpha, t->pairs);
    return sum;
  }
  long table_size() const {
    const int columns = std::max({x.l_max, y.l_max, z.l_max}) + 1;
    return static_cast<long>(x.numbers.size() + y.numbers.size() + z.numbers.size()) + 2L * (n_alpha / 2 + 1) * columns;
  }
};

/// Functions to a grid, their product there, and back; the adjoint goes the same way backwards.
template <class T>
struct GauntProduct {
  BetaTransform<T> x, y, z;
  AlphaTransform<T> alpha;

  explicit GauntProduct(const GauntSource& s)
      : x(s.x), y(s.y), z(s.z), alpha(s.n_alpha, std::max({s.x.l_max, s.y.l_max, s.z.l_max})) {}

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

inline std::unique_ptr<TensorProduct> make_gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                         const GauntSource& source) {
  const int weights = source.first.blocks + source.second.blocks + source.out.blocks;
  return std::make_unique<ProductOf<GauntCore>>(first, second, out, weights, source.multiplications(),
                                                source.table_size(), source);
}

}  // namespace isotrope
