// SPDX-License-Identifier: MIT
#include "so3/gaunt_grid.hpp"

#include <cmath>

#include "so3/clebsch_gordan.hpp"
#include "so3/degree_weights.hpp"

namespace isotrope {
namespace {

struct GridSource {
  SphereGrid grid;
  const Irreps &x, &y, &z;
  ProductBlocks first, second, out;
};

template <class T>
struct GauntGrid {
  LegendreTransform<T> x, y, z;
  AlphaTransform<T> alpha;

  explicit GauntGrid(const GridSource& s)
      : x(s.x, s.grid),
        y(s.y, s.grid),
        z(s.z, s.grid),
        alpha(s.grid.n_alpha, std::max({s.x.l_max(), s.y.l_max(), s.z.l_max()})) {}

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

  /// The mean of f g h is symmetric in its three functions, so adjoints are products of the same kind.
  template <class A>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* xs, const typename A::Vec* ys,
                                       const typename A::Vec* g_zs, typename A::Vec* g_xs,
                                       typename A::Vec* g_ys) const {
    using Vec = typename A::Vec;
    Vec of_x[in_limit], of_y[in_limit], of_z[out_limit];
    x.template to_orders<A>(xs, of_x);
    y.template to_orders<A>(ys, of_y);
    z.template to_orders<A>(g_zs, of_z);
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
    x.template project<A, true>(of_x, g_xs);
    y.template project<A, true>(of_y, g_ys);
  }
};

template <class T>
using GauntGridCore = DegreeWeighted<GauntGrid<T>>;

}  // namespace

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const SphereGrid& grid) {
  for (const Irreps* irreps : {&first, &second, &out}) check_scalar_field(*irreps);
  const GridSource source{grid, first, second, out, ProductBlocks(first), ProductBlocks(second), ProductBlocks(out)};
  const long points = 2 * ((grid.cos_beta.size() + 1) / 2) * grid.n_alpha;
  long multiplications = points, tables = 0;
  for (const Irreps* irreps : {&first, &second, &out}) {
    multiplications += grid_multiplications(*irreps, grid);
    tables += components(*irreps) * ((grid.cos_beta.size() + 1) / 2);
  }
  tables += (grid.n_alpha + 1) * (out.l_max() + 1);
  const int weights = static_cast<int>(first.blocks().size() + second.blocks().size() + out.blocks().size());
  return std::make_unique<ProductOf<GauntGridCore>>(first, second, out, weights, multiplications, tables, source);
}

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  return gaunt_grid_product(first, second, out, SphereGrid::exact_for(first.l_max() + second.l_max() + out.l_max()));
}

double gaunt_factor(int l1, int l2, int l3) {
  if ((l1 + l2 + l3) % 2 != 0) return 0;
  // At the pole only m = 0 is there, Y_l0 = sqrt(2 l + 1); so the factor is prod sqrt(2 l + 1) times the symbol of
  // three m = 0, whose square is that of the Wigner 3j symbol (l1 l2 l3; 0 0 0).
  const std::vector<double>& c = wigner_3j(l1, l2, l3);
  const double middle = c[(l1 * (2 * l2 + 1) + l2) * (2 * l3 + 1) + l3];
  return std::sqrt((2 * l1 + 1.0) * (2 * l2 + 1.0) * (2 * l3 + 1.0)) * middle;
}

}  // namespace isotrope
