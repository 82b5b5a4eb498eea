// SPDX-License-Identifier: MIT
#include "so3/grid_powers.hpp"

#include <algorithm>

#include "so3/product_driver.hpp"
#include "so3/sphere_grid.hpp"

namespace isotrope {
namespace {

struct PowerSource {
  SphereGrid grid;
  const Irreps &x, &z;
  ProductBlocks out;
  int correlation;
  std::vector<int> component;  ///< of x that is a component of z; -1: there is none
};

template <class T>
struct GridPowersCore {
  static constexpr bool writes_directly = false;
  static constexpr int field_limit = 2 * grid_alpha_limit, orders_limit = 2 * grid_orders_limit;
  LegendreTransform<T> x, z;
  AlphaTransform<T> alpha;
  ProductBlocks out;
  View<int> component;
  int correlation;

  explicit GridPowersCore(const PowerSource& s)
      : x(s.x, s.grid),
        z(s.z, s.grid),
        alpha(s.grid.n_alpha, std::max(s.x.l_max(), s.z.l_max())),
        out(s.out),
        component(to_device("isotrope::grid_powers::component", s.component)),
        correlation(s.correlation) {}

  /// A function on all pairs of nodes: [pair][alpha][node].
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_field(const LegendreTransform<T>& legendre, const typename A::Vec* values,
                                       typename A::Vec* field) const {
    typename A::Vec orders[orders_limit * grid_pairs_limit];
    legendre.template to_orders<A>(values, orders);
    for (int p = 0; p < legendre.pairs; ++p)
      alpha.template to_angles<A>(legendre.l_max, orders + p * legendre.width(), field + 2 * p * alpha.n);
  }
  /// The field is overwritten.
  template <class A, bool add>
  KOKKOS_INLINE_FUNCTION void from_field(const LegendreTransform<T>& legendre, typename A::Vec* field,
                                         typename A::Vec* values) const {
    typename A::Vec orders[orders_limit * grid_pairs_limit];
    for (int p = 0; p < legendre.pairs; ++p)
      alpha.template to_orders<A>(legendre.l_max, field + 2 * p * alpha.n, orders + p * legendre.width());
    legendre.template project<A, add>(orders, values);
  }
  KOKKOS_INLINE_FUNCTION int points() const { return 2 * x.pairs * alpha.n; }

  /// f(nu, the mean of f^nu Y) for nu = 1 ... correlation; the first power is x itself.
  template <class A, class F>
  KOKKOS_INLINE_FUNCTION void for_powers(const typename A::Vec* xs, const F& f) const {
    using Vec = typename A::Vec;
    Vec projected[product_outputs_limit];
    for (int k = 0; k < out.size; ++k) projected[k] = component(k) < 0 ? A::zero() : xs[component(k)];
    f(1, projected);
    if (correlation == 1) return;
    Vec field[field_limit * grid_pairs_limit], power[field_limit * grid_pairs_limit];
    Vec scratch[field_limit * grid_pairs_limit];
    to_field<A>(x, xs, field);
    for (int k = 0; k < points(); ++k) power[k] = field[k];
    for (int nu = 2; nu <= correlation; ++nu) {
      for (int k = 0; k < points(); ++k) scratch[k] = power[k] = power[k] * field[k];
      from_field<A, false>(z, scratch, projected);
      f(nu, projected);
    }
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* xs, const typename A::Vec*, const W& w,
                                      const Z& zs) const {
    for (int k = 0; k < out.size; ++k) zs.set(k, A::zero());
    for_powers<A>(xs, [&](int nu, const typename A::Vec* power) {
      for (int b = 0; b < out.blocks; ++b) {
        for (int k = out.begin(b); k < out.begin(b + 1); ++k) zs.add(k, w.times((nu - 1) * out.blocks + b, power[k]));
      }
    });
  }

  /// d/dx of the mean of f^nu h is the mean of nu f^(nu - 1) h Y.
  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* xs, const typename A::Vec*, const W& w, const Z& g_zs,
                                       typename A::Vec* g_xs, typename A::Vec*, const W* g_w) const {
    using Vec = typename A::Vec;
    if (g_w) {
      for_powers<A>(xs, [&](int nu, const Vec* power) {
        for (int b = 0; b < out.blocks; ++b) {
          Vec sum = A::zero();
          for (int k = out.begin(b); k < out.begin(b + 1); ++k) sum += g_zs.get(k) * power[k];
          g_w->add((nu - 1) * out.blocks + b, sum);
        }
      });
    }
    Vec weighted[product_outputs_limit];
    weigh(1, w, g_zs, weighted);
    for (int k = 0; k < out.size; ++k) {
      if (component(k) >= 0) g_xs[component(k)] += weighted[k];
    }
    if (correlation == 1) return;
    Vec field[field_limit * grid_pairs_limit], power[field_limit * grid_pairs_limit];
    Vec h[field_limit * grid_pairs_limit], sum[field_limit * grid_pairs_limit];
    to_field<A>(x, xs, field);
    for (int k = 0; k < points(); ++k) {
      power[k] = field[k];
      sum[k] = A::zero();
    }
    for (int nu = 2; nu <= correlation; ++nu) {
      weigh(nu, w, g_zs, weighted);
      to_field<A>(z, weighted, h);
      for (int k = 0; k < points(); ++k) {
        sum[k] += T(nu) * (power[k] * h[k]);
        power[k] = power[k] * field[k];
      }
    }
    from_field<A, true>(x, sum, g_xs);
  }
  template <class W, class Z, class Vec>
  KOKKOS_INLINE_FUNCTION void weigh(int nu, const W& w, const Z& g_zs, Vec* weighted) const {
    for (int b = 0; b < out.blocks; ++b) {
      for (int k = out.begin(b); k < out.begin(b + 1); ++k)
        weighted[k] = w.times((nu - 1) * out.blocks + b, g_zs.get(k));
    }
  }
};

}  // namespace

std::unique_ptr<TensorProduct> grid_powers(const Irreps& in, const Irreps& out, int correlation) {
  require(correlation >= 1, "Powers on the grid: expected a correlation order of 1 or more, found {}.", correlation);
  check_scalar_field(in);
  check_scalar_field(out);
  std::vector<int> component;
  for (const Irrep& b : out.blocks()) {
    int at = 0;
    bool found = false;
    for (const Irrep& a : in.blocks()) {
      for (int m = 0; m < 2 * a.l + 1 && a.l == b.l; ++m) component.push_back(at + m);
      found = found || a.l == b.l;
      at += 2 * a.l + 1;
    }
    if (!found) component.insert(component.end(), 2 * b.l + 1, -1);
  }
  const PowerSource source{SphereGrid::exact_for(correlation * in.l_max() + out.l_max()),
                           in,
                           out,
                           ProductBlocks(out),
                           correlation,
                           component};
  const long points = 2 * ((source.grid.cos_beta.size() + 1) / 2) * source.grid.n_alpha;
  const long multiplications =
      grid_multiplications(in, source.grid) + (correlation - 1) * (points + grid_multiplications(out, source.grid));
  const long tables = components(in) * ((source.grid.cos_beta.size() + 1) / 2) + source.grid.n_alpha * (in.l_max() + 1);
  return std::make_unique<ProductOf<GridPowersCore>>(
      in, Irreps(), out, correlation * static_cast<int>(out.blocks().size()), multiplications, tables, source);
}

}  // namespace isotrope
