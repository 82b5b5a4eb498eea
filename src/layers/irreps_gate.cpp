// SPDX-License-Identifier: MIT
#include "layers/irreps_gate.hpp"

#include "core/lane_tanh.hpp"
#include "core/loops.hpp"

namespace isotrope {
namespace {

/// One block of a gate, with its activation.
template <class A>
struct IrrepsGateBlock {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  int block, l, gate;
  Activation kind;
  T norm;

  KOKKOS_INLINE_FUNCTION Vec activated(const Vec& x) const {
    return (kind == Activation::silu ? silu(x) : tanh_lane(x)) * norm;
  }
  KOKKOS_INLINE_FUNCTION Vec slope(const Vec& x) const {
    return (kind == Activation::silu ? silu_slope(x) : tanh_slope(x)) * norm;
  }
};

template <class A>
struct IrrepsGateForward {
  IrrepsGateBlock<A> g;
  Features<A> x, y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int c = b * lane_width<typename A::Real>;
    const int pad_x = x.layout.block[g.block].pad, pad_y = y.layout.block[g.block].pad;
    if (g.l == 0) {
      A::store(y.at(g.block, i, 0) + c, pad_y, g.activated(A::load(x.at(g.block, i, 0) + c, pad_x)));
      return;
    }
    const typename A::Vec s = g.activated(A::load(x.at(0, i, 0) + g.gate + c, x.layout.block[0].pad));
    for (int m = 0; m < 2 * g.l + 1; ++m) {
      A::store(y.at(g.block, i, m) + c, pad_y, s * A::load(x.at(g.block, i, m) + c, pad_x));
    }
  }
};

template <class A>
struct IrrepsGateBackward {
  IrrepsGateBlock<A> g;
  Features<A> x, g_y, g_x;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    using Vec = typename A::Vec;
    const int c = b * lane_width<typename A::Real>;
    const int pad_x = x.layout.block[g.block].pad, pad_y = g_y.layout.block[g.block].pad;
    if (g.l == 0) {
      const Vec slope = g.slope(A::load(x.at(g.block, i, 0) + c, pad_x));
      A::store(g_x.at(g.block, i, 0) + c, pad_x, slope * A::load(g_y.at(g.block, i, 0) + c, pad_y));
      return;
    }
    const int pad_gate = x.layout.block[0].pad;
    const Vec gate = A::load(x.at(0, i, 0) + g.gate + c, pad_gate), s = g.activated(gate);
    Vec sum = A::zero();
    for (int m = 0; m < 2 * g.l + 1; ++m) {
      const Vec of_y = A::load(g_y.at(g.block, i, m) + c, pad_y);
      sum += of_y * A::load(x.at(g.block, i, m) + c, pad_x);
      A::store(g_x.at(g.block, i, m) + c, pad_x, s * of_y);
    }
    A::store(g_x.at(0, i, 0) + g.gate + c, pad_gate, sum * g.slope(gate));
  }
};

template <class A>
IrrepsGateBlock<A> block_of(const IrrepsGate& gate, const IrrepsGate::Block& b) {
  const double norm = b.kind == Activation::silu ? gate.silu_norm : gate.tanh_norm;
  return {b.block, gate.out.block[b.block].l, b.gate, b.kind, static_cast<typename A::Real>(norm)};
}

}  // namespace

template <class A>
void irreps_gate_forward(const IrrepsGate& gate, const Features<A>& x, const Features<A>& y) {
  for (const IrrepsGate::Block& b : gate.blocks) {
    for_channels("isotrope::irreps_gate", y.atoms, gate.out.block[b.block].pad / lane_width<typename A::Real>,
                 IrrepsGateForward<A>{block_of<A>(gate, b), x, y});
  }
}

template <class A>
void irreps_gate_backward(const IrrepsGate& gate, const Features<A>& x, const Features<A>& g_y,
                          const Features<A>& g_x) {
  for (const IrrepsGate::Block& b : gate.blocks) {
    for_channels("isotrope::irreps_gate_backward", g_y.atoms,
                 gate.out.block[b.block].pad / lane_width<typename A::Real>,
                 IrrepsGateBackward<A>{block_of<A>(gate, b), x, g_y, g_x});
  }
}

#define ISOTROPE_INSTANTIATE(A)                                                                    \
  template void irreps_gate_forward<A>(const IrrepsGate&, const Features<A>&, const Features<A>&); \
  template void irreps_gate_backward<A>(const IrrepsGate&, const Features<A>&, const Features<A>&, const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
