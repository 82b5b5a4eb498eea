// SPDX-License-Identifier: MIT
#include "so3/grid_powers.hpp"

#include <algorithm>

#include "so3/product_driver.hpp"
#include "so3/sphere_grid.hpp"

namespace isotrope {
namespace {

struct PowerSource {
  BetaTables x, z;
  int n_alpha;
  ProductBlocks out;
  int correlation;
  std::vector<int> component;  ///< of x that is a component of z; -1: there is none
};

template <class T>
struct GridPowersCore {
  static constexpr bool writes_directly = false;
  static constexpr int field_limit = 2 * grid_alpha_limit, orders_limit = 2 * grid_orders_limit;
  BetaTransform<T> x, z;
  AlphaTransform<T> alpha;
  ProductBlocks out;
  View<int> component;
  int correlation;

  explicit GridPowersCore(const PowerSource& s)
      : x(s.x),
        z(s.z),
        alpha(s.n_alpha, std::max(s.x.l_max, s.z.l_max)),
        out(s.out),
        component(to_device("isotrope::grid_powers::component", s.component)),
        correlation(s.correlation) {}

  /// From the orders at all pairs of nodes to the points [pair][alpha][node], and back; the field is overwritten.
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_field(int l_max, const typename A::Vec* orders, typename A::Vec* field) const {
    for (int p = 0; p < x.pairs; ++p)
      alpha.template to_angles<A>(l_max, orders + 2 * p * (2 * l_max + 1), field + 2 * p * alpha.n);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void from_field(int l_max, typename A::Vec* field, typename A::Vec* orders) const {
    for (int p = 0; p < x.pairs; ++p)
      alpha.template to_orders<A>(l_max, field + 2 * p * alpha.n, orders + 2 * p * (2 * l_max + 1));
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
    Vec scratch[field_limit * grid_pairs_limit], orders[orders_limit * grid_pairs_limit];
    x.template to_orders<A>(xs, orders);
    to_field<A>(x.l_max, orders, field);
    for (int k = 0; k < points(); ++k) power[k] = field[k];
    for (int nu = 2; nu <= correlation; ++nu) {
      for (int k = 0; k < points(); ++k) scratch[k] = power[k] = power[k] * field[k];
      from_field<A>(z.l_max, scratch, orders);
      z.template project<A>(orders, projected);
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
    Vec orders[orders_limit * grid_pairs_limit];
    x.template to_orders<A>(xs, orders);
    to_field<A>(x.l_max, orders, field);
    for (int k = 0; k < points(); ++k) {
      power[k] = field[k];
      sum[k] = A::zero();
    }
    for (int nu = 2; nu <= correlation; ++nu) {
      weigh(nu, w, g_zs, weighted);
      z.template project_adjoint<A>(weighted, orders);
      to_field<A>(z.l_max, orders, h);
      for (int k = 0; k < points(); ++k) {
        sum[k] += T(nu) * (power[k] * h[k]);
        power[k] = power[k] * field[k];
      }
    }
    from_field<A>(x.l_max, sum, orders);
    x.template to_orders_adjoint<A>(orders, g_xs);
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
  const SphereGrid grid = SphereGrid::exact_for(correlation * in.l_max() + out.l_max());
  const PowerSource source{
      legendre_tables(in, grid), legendre_tables(out, grid), grid.n_alpha, ProductBlocks(out), correlation, component};
  const BetaTables &x = source.x, &z = source.z;
  const long of_x = x.values_multiplications() + alpha_multiplications(x.l_max, grid.n_alpha, x.pairs);
  const long of_power = z.integrals_multiplications() + alpha_multiplications(z.l_max, grid.n_alpha, z.pairs) +
                        2L * x.pairs * grid.n_alpha;
  const long tables = static_cast<long>(x.numbers.size() + z.numbers.size()) +
                      2L * (grid.n_alpha / 2 + 1) * (std::max(x.l_max, z.l_max) + 1);
  const int weights = correlation * static_cast<int>(out.blocks().size());
  return std::make_unique<ProductOf<GridPowersCore>>(in, Irreps(), out, weights, of_x + (correlation - 1) * of_power,
                                                     tables, source);
}

}  // namespace isotrope
