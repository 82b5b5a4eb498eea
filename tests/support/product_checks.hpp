// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>

#include "so3/tensor_product.hpp"
#include "so3/wigner_d.hpp"
#include "support/layer_checks.hpp"

/// Checks that every tensor product has.
namespace isotrope::test {

/// One way of laying out the operands of a product.
struct ProductLayout {
  const char* name;
  int items = 5, channels = 11;  ///< live ones; 1: lanes run over the items
  bool one_channel_y = false, weighted = true, item_weights = false;
  FeatureOrder order = FeatureOrder::by_item;
};
inline std::vector<ProductLayout> product_layouts(bool by_block = true) {
  std::vector<ProductLayout> layouts = {
      {"channels"},
      {.name = "no weights", .weighted = false},
      {.name = "one channel of y, weights of items", .one_channel_y = true, .item_weights = true},
      {.name = "items as lanes", .items = 2 * lane_width<float> + 3, .channels = 1},
      {.name = "items as lanes, their weights", .items = lane_width<float> + 1, .channels = 1, .item_weights = true},
  };
  if (by_block) layouts.push_back({.name = "by block", .order = FeatureOrder::by_block});
  return layouts;
}

/// z as a function of (x, y, weights of items) and of shared weights.
struct ProductCase : LayerCase {
  const TensorProduct& product;
  ProductLayout how;
  long x_size, y_size, w_size;

  ProductCase(const TensorProduct& product, const ProductLayout& how) : product(product), how(how) {
    const long rows = static_cast<long>(how.items) * how.channels;
    x_size = rows * components(product.first());
    y_size = how.items * (how.one_channel_y ? 1L : how.channels) * components(product.second());
    w_size = how.weighted && how.item_weights ? rows * product.weights() : 0;
    inputs = dual_inputs = x_size + y_size + w_size;
    outputs = rows * components(product.out());
    weights = how.weighted && !how.item_weights ? product.weights() * how.channels : 0;
  }

  template <class A>
  int pad() const {
    return how.channels == 1 ? 1 : padded<typename A::Real>(how.channels);
  }
  template <class A>
  Shape shape(long rows) const {
    return {{rows, {{how.channels, pad<A>()}}}};
  }
  template <class A>
  Shape x_shape() const {
    return shape<A>(static_cast<long>(how.items) * components(product.first()));
  }
  template <class A>
  Shape y_shape() const {
    const long rows = static_cast<long>(how.items) * components(product.second());
    return how.one_channel_y ? Shape{{rows, {{1, 1}}}} : shape<A>(rows);
  }
  template <class A>
  Shape z_shape() const {
    return shape<A>(static_cast<long>(how.items) * components(product.out()));
  }
  template <class A>
  Shape w_shape() const {
    return shape<A>(product.weights() * (how.item_weights ? static_cast<long>(how.items) : 1L));
  }

  template <class A>
  struct Memory {
    View<typename A::Real> x, y, w;
    ProductInput<A> input;
  };
  template <class A>
  Memory<A> memory(const std::vector<double>& w, const Numbers& in) const {
    Memory<A> m;
    m.x = store<A>(x_shape<A>(), part(in, 0, x_size));
    m.y = store<A>(y_shape<A>(), part(in, x_size, y_size));
    if (how.weighted && how.item_weights) m.w = store<A>(w_shape<A>(), part(in, x_size + y_size, w_size));
    if (weights > 0) m.w = store<Plain<typename A::Real>>(w_shape<A>(), {w, {}});
    m.input = {how.items,        pad<A>(),          m.x.data(), m.y.data(), how.weighted ? m.w.data() : nullptr,
               how.item_weights, how.one_channel_y, how.order};
    return m;
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& in) const {
    const Memory<A> m = memory<A>(w, in);
    const auto z = poisoned<A>(z_shape<A>());
    product.forward(m.input, z.data());
    return read<A>(z_shape<A>(), z);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& in, const Numbers& gz, std::vector<double>* gw) const {
    using P = Plain<typename A::Real>;
    const Memory<A> m = memory<A>(w, in);
    const auto g_z = store<A>(z_shape<A>(), gz), g_x = zeros<A>(x_shape<A>()), g_y = zeros<A>(y_shape<A>());
    const bool shared = weights > 0;
    View<typename A::Real> g_w;
    if (shared) g_w = gw ? store<P>(w_shape<A>(), {*gw, {}}) : zeros<P>(w_shape<A>());
    if (how.weighted && how.item_weights) g_w = zeros<A>(w_shape<A>());
    product.backward(m.input, ProductAdjoint<A>{g_z.data(), g_x.data(), g_y.data(), g_w.data()});
    Numbers g = read<A>(x_shape<A>(), g_x);
    append(g, read<A>(y_shape<A>(), g_y));
    if (how.weighted && how.item_weights) append(g, read<A>(w_shape<A>(), g_w));
    if (shared && gw) *gw = read<P>(w_shape<A>(), g_w).v;
    return g;
  }
};

/// Plain weights, too: their adjoint is the finite difference of gz . z.
inline void check_plain_weight_adjoint(const ProductCase& c) {
  using P = Plain<double>;
  const auto in = random_numbers(c.inputs, 61), gz = random_numbers(c.outputs, 62), w = random_numbers(c.weights, 63);
  std::vector<double> gw(c.weights, 0.0);
  c.backward<P>(w, {in, {}}, {gz, {}}, &gw);
  const auto d = random_numbers(c.weights, 64);
  const auto energy = [&](double e) { return std::vector<double>{dot(gz, c.forward<P>(sum(w, e, d), {in, {}}).v)}; };
  EXPECT_LE(std::abs(dot(gw, d) - slope_of(energy)[0]), 1e-8 * std::sqrt(dot(gw, gw) * dot(d, d)));
}

inline void check_product(const TensorProduct& product, bool by_block = true) {
  for (const ProductLayout& how : product_layouts(by_block)) {
    SCOPED_TRACE(how.name);
    const ProductCase c(product, how);
    check_layer(c);
    if (c.weights > 0) check_plain_weight_adjoint(c);
  }
}

/// z [items][components] of x and y [items][components], one channel, in double.
inline std::vector<double> evaluate(const TensorProduct& product, const std::vector<double>& x,
                                    const std::vector<double>& y, const std::vector<double>& weights = {}) {
  ProductLayout how{.name = "", .channels = 1, .weighted = !weights.empty()};
  how.items = static_cast<int>(x.size()) / components(product.first());
  std::vector<double> in = x;
  in.insert(in.end(), y.begin(), y.end());
  return ProductCase(product, how).forward<Plain<double>>(weights, {in, {}}).v;
}

/// Every block of every item by its Wigner D matrix.
inline std::vector<double> transformed(const Irreps& irreps, const Mat3& rotation, const std::vector<double>& x) {
  std::vector<double> y(x.size(), 0.0);
  for (std::size_t at = 0; at < x.size();) {
    for (const Irrep& b : irreps.blocks()) {
      const int d = 2 * b.l + 1;
      const std::vector<double> D = wigner_d(b.l, rotation, b.parity);
      for (int p = 0; p < d; ++p) {
        for (int q = 0; q < d; ++q) y[at + p] += D[p * d + q] * x[at + q];
      }
      at += d;
    }
  }
  return y;
}

/// |T(g x, g y) - g T(x, y)| / |T(x, y)| for rotations, or rotations with inversion.
inline double equivariance_error(const TensorProduct& product, bool inversion,
                                 const std::vector<double>& weights = {}) {
  const int items = 7;
  const auto x = random_numbers(static_cast<std::size_t>(items) * components(product.first()), 71);
  const auto y = random_numbers(static_cast<std::size_t>(items) * components(product.second()), 72);
  const auto z = evaluate(product, x, y, weights);
  double worst = 0;
  for (int seed = 0; seed < 3; ++seed) {
    Mat3 g = random_rotation(900 + seed);
    if (inversion) {
      for (Vec3& row : g) row = -1.0 * row;
    }
    const auto rotated =
        evaluate(product, transformed(product.first(), g, x), transformed(product.second(), g, y), weights);
    const auto difference = sum(transformed(product.out(), g, z), -1, rotated);
    const double error = std::sqrt(dot(difference, difference) / dot(z, z));
    worst = std::isnan(worst) || error <= worst ? worst : error;
  }
  return worst;
}

}  // namespace isotrope::test
