// SPDX-License-Identifier: MIT
#include "layers/component_norm.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

/// One degree of one atom.
template <class A>
struct Degree {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  using Num = typename A::Num;
  const T* x;
  int d, mul, pad;
  Num mean{}, factor{};

  KOKKOS_INLINE_FUNCTION int blocks() const { return pad / lane_width<T>; }
  KOKKOS_INLINE_FUNCTION long place(int m, int c) const { return static_cast<long>(m) * pad * A::rows + c; }
  KOKKOS_INLINE_FUNCTION Vec centred(int m, int c) const {
    const Vec value = A::load(x + place(m, c), pad);
    return d == 1 ? keep_live<A>(value - mean, c, mul) : value;
  }
  template <class Team>
  KOKKOS_INLINE_FUNCTION void measure(const Team& team) {
    using std::sqrt;
    if (d == 1) {
      Vec sum = A::zero();
      team.for_blocks(blocks(), [&](int b) { sum += A::load(x + b * lane_width<T>, pad); });
      mean = team_sum<A>(team, sum) * (T(1) / T(mul));
    }
    Vec square = A::zero();
    team.for_blocks(blocks(), [&](int b) {
      for (int m = 0; m < d; ++m) {
        const Vec value = centred(m, b * lane_width<T>);
        square += value * value;
      }
    });
    factor = T(1) / sqrt(team_sum<A>(team, square) * (T(1) / T(mul * d)) + T(1e-5));
  }
};

template <class A>
struct Normalise {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  const T *gain, *bias;
  Features<A> x, y;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int i) const {
    for (int l = 0; l < y.layout.count; ++l) {
      const Layout::Block& block = x.layout.block[l];
      Degree<A> degree{x.at(l, i, 0), 2 * block.l + 1, block.mul, block.pad};
      degree.measure(team);
      team.for_blocks(degree.blocks(), [&](int b) {
        const int c = b * lane_width<T>;
        for (int m = 0; m < degree.d; ++m) {
          Vec value = times(load_weight<A>(gain + l * block.pad + c), Vec(degree.centred(m, c) * degree.factor));
          if (l == 0) value = plus(value, load_weight<A>(bias + c));
          A::store(y.at(l, i, m) + c, block.pad, value);
        }
      });
    }
  }
};

template <class A>
struct NormaliseBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  const T* gain;
  T *g_gain, *g_bias;
  Features<A> x, gy, gx;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int i) const {
    for (int l = 0; l < gy.layout.count; ++l) {
      const Layout::Block& block = x.layout.block[l];
      Degree<A> degree{x.at(l, i, 0), 2 * block.l + 1, block.mul, block.pad};
      degree.measure(team);
      one_degree(team, i, l, block, degree);
    }
  }
  template <class Team>
  KOKKOS_INLINE_FUNCTION void one_degree(const Team& team, int i, int l, const Layout::Block& block,
                                         const Degree<A>& degree) const {
    Vec along = A::zero(), sum = A::zero();
    team.for_blocks(degree.blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      Vec g_weight = A::zero();
      for (int m = 0; m < degree.d; ++m) {
        const Vec g = A::load(gy.at(l, i, m) + c, block.pad), normed = degree.centred(m, c) * degree.factor;
        const Vec scaled = times(load_weight<A>(gain + l * block.pad + c), g);
        along += scaled * normed;
        sum += scaled;
        g_weight += g * normed;
        if (g_bias && l == 0) add_weight_gradient<A>(g_bias + c, g);
      }
      if (g_gain) add_weight_gradient<A>(g_gain + l * block.pad + c, g_weight);
    });
    const typename A::Num slope = team_sum<A>(team, along) * (T(1) / T(block.mul * degree.d));
    typename A::Num mean{};
    // Centred scalars sum to zero, so that of the two terms of the adjoint only the first has a mean.
    if (l == 0) mean = team_sum<A>(team, sum) * (T(1) / T(block.mul));
    team.for_blocks(degree.blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      for (int m = 0; m < degree.d; ++m) {
        const Vec scaled = times(load_weight<A>(gain + l * block.pad + c), A::load(gy.at(l, i, m) + c, block.pad));
        const Vec normed = degree.centred(m, c) * degree.factor;
        const Vec g = keep_live<A>((scaled - mean - slope * normed) * degree.factor, c, block.mul);
        add_to<A>(gx.at(l, i, m) + c, block.pad, g);
      }
    });
  }
};

}  // namespace

template <class A>
void normalise(const ComponentNorm& norm, const typename A::Real* weights, const Features<A>& x, const Features<A>& y) {
  for_teams("isotrope::normalise", y.atoms, Normalise<A>{weights + norm.gain, weights + norm.bias, x, y});
}

template <class A>
void normalise_backward(const ComponentNorm& norm, const typename A::Real* weights, const Features<A>& x,
                        const Features<A>& gy, const Features<A>& gx, typename A::Real* weight_gradient) {
  auto* g_gain = weight_gradient ? weight_gradient + norm.gain : nullptr;
  auto* g_bias = weight_gradient ? weight_gradient + norm.bias : nullptr;
  for_teams("isotrope::normalise_backward", gy.atoms,
            NormaliseBackward<A>{weights + norm.gain, g_gain, g_bias, x, gy, gx});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                     \
  template void normalise<A>(const ComponentNorm&, const A::Real*, const Features<A>&, const Features<A>&);         \
  template void normalise_backward<A>(const ComponentNorm&, const A::Real*, const Features<A>&, const Features<A>&, \
                                      const Features<A>&, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
