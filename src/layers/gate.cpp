// SPDX-License-Identifier: MIT
#include "layers/gate.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

template <class A>
struct Gate {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  GateInput<A> in;
  Features<A> u;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int c = b * lane_width<T>, pad = u.layout.block[0].pad;
    const T* row = in.scalars + static_cast<long>(i) * 2 * pad * A::rows + c;
    A::store(u.at(0, i, 0) + c, pad, silu(plus(A::load(row, 2 * pad), load_weight<A>(in.bias + c))));
    const Vec open = sigmoid(plus(A::load(row + pad, 2 * pad), load_weight<A>(in.bias + pad + c)));
    for (int l = 1; l < u.layout.count; ++l) {
      for (int m = 0; m < 2 * l + 1; ++m) {
        A::store(u.at(l, i, m) + c, pad, open * A::load(in.vectors.at(l - 1, i, m) + c, pad));
      }
    }
  }
};

template <class A>
struct GateBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  GateInput<A> in;
  Features<A> g_u;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int c = b * lane_width<T>, pad = g_u.layout.block[0].pad;
    T* row = in.scalars + static_cast<long>(i) * 2 * pad * A::rows + c;
    const Vec value = plus(A::load(row, 2 * pad), load_weight<A>(in.bias + c));
    const Vec open = sigmoid(plus(A::load(row + pad, 2 * pad), load_weight<A>(in.bias + pad + c)));
    A::store(row, 2 * pad, A::load(g_u.at(0, i, 0) + c, pad) * silu_slope(value));
    Vec g_open = A::zero();
    for (int l = 1; l < g_u.layout.count; ++l) {
      for (int m = 0; m < 2 * l + 1; ++m) {
        T* vector = in.vectors.at(l - 1, i, m) + c;
        const Vec g = A::load(g_u.at(l, i, m) + c, pad);
        g_open += g * A::load(vector, pad);
        A::store(vector, pad, g * open);
      }
    }
    A::store(row + pad, 2 * pad, g_open * open * (T(1) - open));
  }
};

}  // namespace

template <class A>
void gate(const GateInput<A>& input, const Features<A>& u) {
  for_channels("isotrope::gate", u.atoms, u.layout.block[0].pad / lane_width<typename A::Real>, Gate<A>{input, u});
}

template <class A>
void gate_backward(const GateInput<A>& input, const Features<A>& g_u) {
  for_channels("isotrope::gate_backward", g_u.atoms, g_u.layout.block[0].pad / lane_width<typename A::Real>,
               GateBackward<A>{input, g_u});
}

#define ISOTROPE_INSTANTIATE(A)                                   \
  template void gate<A>(const GateInput<A>&, const Features<A>&); \
  template void gate_backward<A>(const GateInput<A>&, const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
