// SPDX-License-Identifier: MIT
// The gate and biases of scalars: derivatives and formulas.
#include <gtest/gtest.h>

#include <cmath>

#include "layers/channels.hpp"
#include "layers/irreps_gate.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

/// Rows [count][live], each padded to lanes of A.
template <class A>
Shape rows(long count, int live) {
  return {{count, {{live, padded<typename A::Real>(live)}}}};
}

/// Even and odd scalars, vectors and l = 2 with different numbers of channels.
struct IrrepsGateCase : LayerCase {
  static constexpr int n = 4;
  template <class A>
  static IrrepsGate gate() {
    using T = typename A::Real;
    IrrepsGate gate;
    gate.silu_norm = 1.7;
    gate.tanh_norm = 1.6;
    const int scalars = 5, odd = 3, vectors = 17, tensors = 2;
    const int of_vectors = padded<T>(scalars), of_tensors = of_vectors + padded<T>(vectors);
    const int first = of_tensors + padded<T>(tensors);
    gate.in.add(0, first, first);
    gate.out.add(0, scalars, padded<T>(scalars));
    const int l[] = {0, 1, 2}, mul[] = {odd, vectors, tensors};
    for (int b = 0; b < 3; ++b) {
      gate.in.add(l[b], mul[b], padded<T>(mul[b]));
      gate.out.add(l[b], mul[b], padded<T>(mul[b]));
    }
    gate.blocks = {{0, 0, Activation::silu}, {1, 0, Activation::tanh}, {2, of_vectors}, {3, of_tensors}};
    return gate;
  }
  template <class A>
  static Shape input() {
    using T = typename A::Real;
    Shape shape = shape_of(gate<A>().in, n);
    shape[0].groups = {{5, padded<T>(5)}, {17, padded<T>(17)}, {2, padded<T>(2)}};
    return shape;
  }
  template <class A>
  static Shape output() {
    return shape_of(gate<A>().out, n);
  }
  IrrepsGateCase() {
    inputs = dual_inputs = live_size(input<Plain<double>>());
    outputs = live_size(output<Plain<double>>());
  }
  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const auto memory = store<A>(input<A>(), x), y = poisoned<A>(output<A>());
    irreps_gate_forward<A>(gate<A>(), features<A>(gate<A>().in, n, memory), features<A>(gate<A>().out, n, y));
    return read<A>(output<A>(), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const auto memory = store<A>(input<A>(), x), g = store<A>(output<A>(), gy), gx = poisoned<A>(input<A>());
    irreps_gate_backward<A>(gate<A>(), features<A>(gate<A>().in, n, memory), features<A>(gate<A>().out, n, g),
                            features<A>(gate<A>().in, n, gx));
    return read<A>(input<A>(), gx);
  }
};
TEST(IrrepsGate, Derivatives) {
  check_layer(IrrepsGateCase{});
}

TEST(IrrepsGate, IsTheFormula) {
  const IrrepsGateCase layer;
  const auto x = layer.point(3);
  const auto y = layer.forward<Plain<double>>({}, {x, {}}).v;
  const auto silu = [](double a) { return 1.7 * a / (1 + std::exp(-a)); };
  // The second atom: its even scalar 4, odd scalar 2, channel 16 of the vectors' z.
  const int n = IrrepsGateCase::n, width = 5 + 17 + 2;
  EXPECT_NEAR(y[5 + 4], silu(x[width + 4]), 1e-14);
  EXPECT_NEAR(y[n * 5 + 3 + 2], 1.6 * std::tanh(x[n * width + 3 + 2]), 1e-14);
  const int vector_in = n * (width + 3) + (1 * 3 + 2) * 17 + 16, vector_out = n * (5 + 3) + (1 * 3 + 2) * 17 + 16;
  EXPECT_NEAR(y[vector_out], silu(x[width + 5 + 16]) * x[vector_in], 1e-14);
}

struct BiasCase : LayerCase {
  static constexpr int n = 4, width = 19;
  BiasCase() { inputs = dual_inputs = outputs = n * width, weights = width; }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    using Real = Plain<typename A::Real>;
    const auto y = store<A>(rows<A>(n, width), x), bias = store<Real>(rows<Real>(1, width), {w, {}});
    add_bias<A>(n, padded<typename A::Real>(width), bias.data(), y.data());
    return read<A>(rows<A>(n, width), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers&, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    if constexpr (A::dual) {
      const auto g = store<A>(rows<A>(n, width), gy), gradient = store<Real>(rows<Real>(1, width), {*gw, {}});
      add_bias_gradient<A>(n, padded<typename A::Real>(width), g.data(), gradient.data());
      *gw = read<Real>(rows<Real>(1, width), gradient).v;
    }
    return gy;
  }
};
TEST(Bias, Derivatives) {
  check_layer(BiasCase{});
}

}  // namespace
}  // namespace isotrope
