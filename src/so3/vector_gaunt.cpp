// SPDX-License-Identifier: MIT
#include "so3/vector_gaunt.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/product_driver.hpp"
#include "so3/sphere_grid.hpp"

namespace isotrope {
namespace {

/// One pair (block, l): terms [begin, end) connect its components with the three scalar fields.
struct Slot {
  int component, size;
  int begin, end;
};
struct Term {
  int m, axis, harmonic;
  double value;
};
/// Of x, y or z.
struct OperandTables {
  std::vector<Slot> slots;
  std::vector<Term> terms;
  int l_max = 0;
};

/// The l of the vector harmonics that a block has.
std::vector<int> degrees_of(const Irrep& b, bool axial) {
  const bool natural = b.parity == (b.l % 2 == 0 ? 1 : -1);
  std::vector<int> l;
  if (natural == axial) {
    if (b.l > 0) l.push_back(b.l);
  } else {
    if (b.l > 0) l.push_back(b.l - 1);
    l.push_back(b.l + 1);
  }
  return l;
}

OperandTables make_tables(const Irreps& irreps, bool axial) {
  OperandTables t;
  int component = 0;
  for (const Irrep& b : irreps.blocks()) {
    const std::vector<int> degrees = degrees_of(b, axial);
    require(b.mul == 1 && !degrees.empty() && degrees.back() <= 16,
            "The vector Gaunt product has blocks 1xl up to l = 15, {} without 0{}: found '{}'.",
            axial ? "z" : "x and y", axial ? 'e' : 'o', irreps.text());
    for (int l : degrees) {
      t.l_max = std::max(t.l_max, l);
      t.slots.push_back({component, 2 * b.l + 1, static_cast<int>(t.terms.size()), 0});
      for (const CouplingEntry& c : wigner_3j_sparse(1, l, b.l))
        t.terms.push_back({c.m3, c.m1, l * l + c.m2, std::sqrt(2 * b.l + 1.0) * c.value});
      t.slots.back().end = static_cast<int>(t.terms.size());
    }
    component += 2 * b.l + 1;
  }
  return t;
}

struct VectorSource {
  OperandTables x, y, z;
  SphereGrid grid;
  ProductBlocks first, second, out;
};

/// Between the components of one operand and three scalar fields.
template <class T>
struct VectorOperand {
  View<Slot> slots;
  View<Term> terms;
  int harmonics, first_weight;
  BetaTransform<T> beta;

  VectorOperand(const OperandTables& t, int first_weight, const SphereGrid& grid)
      : slots(to_device("isotrope::vector_gaunt::slots", t.slots)),
        terms(to_device("isotrope::vector_gaunt::terms", t.terms)),
        harmonics((t.l_max + 1) * (t.l_max + 1)),
        first_weight(first_weight),
        beta(legendre_tables(harmonics_irreps(t.l_max), grid)) {}

  KOKKOS_INLINE_FUNCTION int count() const { return static_cast<int>(slots.extent(0)); }

  /// fields [axis][harmonics] from components, with the weights.
  template <class A, class W>
  KOKKOS_INLINE_FUNCTION void to_fields(const typename A::Vec* x, const W& w, typename A::Vec* fields) const {
    for (int k = 0; k < 3 * harmonics; ++k) fields[k] = A::zero();
    for (int s = 0; s < count(); ++s) {
      const Slot& slot = slots(s);
      typename A::Vec scaled[33];
      for (int m = 0; m < slot.size; ++m) scaled[m] = w.times(first_weight + s, x[slot.component + m]);
      for (int n = slot.begin; n < slot.end; ++n) {
        const Term& t = terms(n);
        fields[t.axis * harmonics + t.harmonic] += static_cast<T>(t.value) * scaled[t.m];
      }
    }
  }
  /// The transpose: f(slot, component, sum of its terms).
  template <class A, class F>
  KOKKOS_INLINE_FUNCTION void from_fields(const typename A::Vec* fields, const F& f) const {
    for (int s = 0; s < count(); ++s) {
      const Slot& slot = slots(s);
      typename A::Vec sums[33];
      for (int m = 0; m < slot.size; ++m) sums[m] = A::zero();
      for (int n = slot.begin; n < slot.end; ++n) {
        const Term& t = terms(n);
        sums[t.m] += static_cast<T>(t.value) * fields[t.axis * harmonics + t.harmonic];
      }
      for (int m = 0; m < slot.size; ++m) f(first_weight + s, slot.component + m, sums[m]);
    }
  }
};

template <class T>
struct VectorGauntCore {
  static constexpr bool writes_directly = false;
  static constexpr int in_harmonics = 100, out_harmonics = 289;
  static constexpr int in_orders = 2 * 19 * grid_pairs_limit, out_orders = 2 * grid_orders_limit * grid_pairs_limit;
  static constexpr int field_limit = 2 * grid_alpha_limit;
  VectorOperand<T> x, y, z;
  AlphaTransform<T> alpha;
  int outputs;

  explicit VectorGauntCore(const VectorSource& s)
      : x(s.x, 0, s.grid),
        y(s.y, static_cast<int>(s.x.slots.size()), s.grid),
        z(s.z, static_cast<int>(s.x.slots.size() + s.y.slots.size()), s.grid),
        alpha(s.grid.n_alpha, std::max({s.x.l_max, s.y.l_max, s.z.l_max})),
        outputs(s.out.size) {}

  /// Orders [axis] of an input at all pairs of nodes.
  template <class A, class W>
  KOKKOS_INLINE_FUNCTION static void to_orders(const VectorOperand<T>& operand, const typename A::Vec* values,
                                               const W& w, typename A::Vec* orders) {
    typename A::Vec fields[3 * in_harmonics];
    operand.template to_fields<A>(values, w, fields);
    for (int a = 0; a < 3; ++a)
      operand.beta.template to_orders<A>(fields + a * operand.harmonics, orders + a * in_orders);
  }
  /// One pair of nodes: [axis][alpha][node].
  template <class A>
  KOKKOS_INLINE_FUNCTION void to_angles(const BetaTransform<T>& beta, int stride, int pair,
                                        const typename A::Vec* orders, typename A::Vec* f) const {
    for (int a = 0; a < 3; ++a)
      alpha.template to_angles<A>(beta.l_max, orders + a * stride + pair * beta.width(), f + a * field_limit);
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void from_angles(const BetaTransform<T>& beta, int stride, int pair, typename A::Vec* f,
                                          typename A::Vec* orders) const {
    for (int a = 0; a < 3; ++a)
      alpha.template to_orders<A>(beta.l_max, f + a * field_limit, orders + a * stride + pair * beta.width());
  }
  /// c = a x b at every point.
  template <class Vec>
  KOKKOS_INLINE_FUNCTION void cross(const Vec* a, const Vec* b, Vec* c) const {
    constexpr int d = field_limit;
    for (int j = 0; j < 2 * alpha.n; ++j) {
      c[j] = a[d + j] * b[2 * d + j] - a[2 * d + j] * b[d + j];
      c[d + j] = a[2 * d + j] * b[j] - a[j] * b[2 * d + j];
      c[2 * d + j] = a[j] * b[d + j] - a[d + j] * b[j];
    }
  }

  /// The field of z in harmonics [axis][harmonics].
  template <class A>
  [[gnu::noinline]] KOKKOS_FUNCTION void product(const typename A::Vec* of_x, const typename A::Vec* of_y,
                                                 typename A::Vec* fields) const {
    using Vec = typename A::Vec;
    Vec of_z[3 * out_orders];
    for (int p = 0; p < x.beta.pairs; ++p) {
      Vec f[3 * field_limit], g[3 * field_limit], h[3 * field_limit];
      to_angles<A>(x.beta, in_orders, p, of_x, f);
      to_angles<A>(y.beta, in_orders, p, of_y, g);
      cross(f, g, h);
      from_angles<A>(z.beta, out_orders, p, h, of_z);
    }
    for (int a = 0; a < 3; ++a) z.beta.template project<A>(of_z + a * out_orders, fields + a * z.harmonics);
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* xs, const typename A::Vec* ys, const W& w,
                                      const Z& zs) const {
    using Vec = typename A::Vec;
    Vec of_x[3 * in_orders], of_y[3 * in_orders], fields[3 * out_harmonics];
    to_orders<A>(x, xs, w, of_x);
    to_orders<A>(y, ys, w, of_y);
    product<A>(of_x, of_y, fields);
    for (int k = 0; k < outputs; ++k) zs.set(k, A::zero());
    z.template from_fields<A>(fields, [&](int weight, int k, const Vec& value) { zs.add(k, w.times(weight, value)); });
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* xs, const typename A::Vec* ys, const W& w, const Z& g_zs,
                                       typename A::Vec* g_xs, typename A::Vec* g_ys, const W* g_w) const {
    using Vec = typename A::Vec;
    Vec of_x[3 * in_orders], of_y[3 * in_orders], of_z[3 * out_orders], fields[3 * out_harmonics];
    to_orders<A>(x, xs, w, of_x);
    to_orders<A>(y, ys, w, of_y);
    if (g_w) {
      product<A>(of_x, of_y, fields);
      z.template from_fields<A>(fields,
                                [&](int weight, int k, const Vec& value) { g_w->add(weight, g_zs.get(k) * value); });
    }
    z.template to_fields<A>(g_zs.data, w, fields);
    for (int a = 0; a < 3; ++a) z.beta.template project_adjoint<A>(fields + a * z.harmonics, of_z + a * out_orders);
    for (int p = 0; p < x.beta.pairs; ++p) {
      Vec f[3 * field_limit], g[3 * field_limit], h[3 * field_limit], g_f[3 * field_limit];
      to_angles<A>(x.beta, in_orders, p, of_x, f);
      to_angles<A>(y.beta, in_orders, p, of_y, g);
      to_angles<A>(z.beta, out_orders, p, of_z, h);
      cross(g, h, g_f);  // the triple product is cyclic
      from_angles<A>(x.beta, in_orders, p, g_f, of_x);
      cross(h, f, g_f);
      from_angles<A>(y.beta, in_orders, p, g_f, of_y);
    }
    add_input_adjoint<A>(x, of_x, xs, w, g_xs, g_w);
    add_input_adjoint<A>(y, of_y, ys, w, g_ys, g_w);
  }
  template <class A, class W>
  KOKKOS_INLINE_FUNCTION static void add_input_adjoint(const VectorOperand<T>& operand, const typename A::Vec* orders,
                                                       const typename A::Vec* values, const W& w, typename A::Vec* g,
                                                       const W* g_w) {
    using Vec = typename A::Vec;
    Vec fields[3 * in_harmonics];
    for (int k = 0; k < 3 * operand.harmonics; ++k) fields[k] = A::zero();
    for (int a = 0; a < 3; ++a)
      operand.beta.template to_orders_adjoint<A>(orders + a * in_orders, fields + a * operand.harmonics);
    operand.template from_fields<A>(fields, [&](int weight, int k, const Vec& value) {
      g[k] += w.times(weight, value);
      if (g_w) g_w->add(weight, values[k] * value);
    });
  }
};

}  // namespace

std::unique_ptr<TensorProduct> vector_gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  const OperandTables x = make_tables(first, false), y = make_tables(second, false), z = make_tables(out, true);
  const VectorSource source{x,
                            y,
                            z,
                            SphereGrid::exact_for(x.l_max + y.l_max + z.l_max),
                            ProductBlocks(first),
                            ProductBlocks(second),
                            ProductBlocks(out)};
  const int n = source.grid.n_alpha;
  long multiplications = 0, tables = 0;
  for (const OperandTables* t : {&x, &y, &z}) {
    const BetaTables beta = legendre_tables(harmonics_irreps(t->l_max), source.grid);
    const long steps = t == &z ? beta.integrals_multiplications() : beta.values_multiplications();
    multiplications +=
        static_cast<long>(t->terms.size()) + 3 * (steps + alpha_multiplications(t->l_max, n, beta.pairs));
    tables += static_cast<long>(t->terms.size() + beta.numbers.size());
    if (t == &z) multiplications += 12L * beta.pairs * n;
  }
  const int weights = static_cast<int>(x.slots.size() + y.slots.size() + z.slots.size());
  return std::make_unique<ProductOf<VectorGauntCore>>(first, second, out, weights, multiplications, tables, source);
}

}  // namespace isotrope
