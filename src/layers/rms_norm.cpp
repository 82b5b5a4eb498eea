// SPDX-License-Identifier: MIT
#include "layers/rms_norm.hpp"

#include "layers/channels.hpp"
#include "layers/in_duals.hpp"

namespace isotrope {
namespace {

constexpr double smallest = 1e-6;

/// One row: its inverse root mean square.
template <class A>
struct Row {
  using T = typename A::Real;
  int width, pad;
  KOKKOS_FUNCTION int blocks() const { return pad / lane_width<T>; }
  KOKKOS_FUNCTION typename A::Vec at(const T* rows, int i, int b) const {
    return A::load(rows + static_cast<long>(i) * pad * A::rows + b * lane_width<T>, pad);
  }
  KOKKOS_FUNCTION typename A::Num inverse(const ChannelTeam& team, const T* x, int i) const {
    using std::sqrt;
    typename A::Vec sum = A::zero();
    team.for_blocks(blocks(), [&](int b) { sum += at(x, i, b) * at(x, i, b); });
    return T(1) / sqrt(team_sum<A>(team, sum) * (T(1) / T(width)) + T(smallest));
  }
};

template <class A>
struct Norm {
  using T = typename A::Real;
  Row<A> row;
  const T *gain, *x;
  T* y;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int i) const {
    const typename A::Vec scale = spread<A>(row.inverse(team, x, i));
    team.for_blocks(row.blocks(), [&](int b) {
      const Lane<T> w = load_lane(gain + b * lane_width<T>);
      A::store(y + static_cast<long>(i) * row.pad * A::rows + b * lane_width<T>, row.pad,
               times<T>(w, row.at(x, i, b) * scale));
    });
  }
};

/// With n = x / rms: g_x += (gain g_y - n mean(gain g_y n)) / rms, g_gain += g_y n.
template <class A>
struct NormBackward {
  using T = typename A::Real;
  Row<A> row;
  const T *gain, *x, *g_y;
  T *g_x, *weight_gradient;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int i) const {
    const typename A::Vec scale = spread<A>(row.inverse(team, x, i));
    typename A::Vec sum = A::zero();
    team.for_blocks(row.blocks(), [&](int b) {
      const typename A::Vec product = row.at(g_y, i, b) * row.at(x, i, b) * scale;
      sum += times<T>(load_lane(gain + b * lane_width<T>), product);
      if (weight_gradient) add_weight_gradient<A>(weight_gradient + b * lane_width<T>, product);
    });
    const typename A::Vec mean = spread<A>(team_sum<A>(team, sum) * (T(1) / T(row.width)));
    team.for_blocks(row.blocks(), [&](int b) {
      const Lane<T> w = load_lane(gain + b * lane_width<T>);
      add_to<A>(g_x + static_cast<long>(i) * row.pad * A::rows + b * lane_width<T>, row.pad,
                (times<T>(w, row.at(g_y, i, b)) - row.at(x, i, b) * scale * mean) * scale);
    });
  }
};

}  // namespace

template <class A>
void rms_norm(long tokens, int width, int pad, const typename A::Real* gain, const typename A::Real* x,
              typename A::Real* y) {
  for_teams("isotrope::rms_norm", tokens, Norm<A>{{width, pad}, gain, x, y});
}

template <class A>
void rms_norm_backward(long tokens, int width, int pad, const typename A::Real* gain, const typename A::Real* x,
                       const typename A::Real* g_y, typename A::Real* g_x, typename A::Real* weight_gradient) {
  for_teams("isotrope::rms_norm_backward", tokens, NormBackward<A>{{width, pad}, gain, x, g_y, g_x, weight_gradient});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                \
  template void rms_norm<A>(long, int, int, const A::Real*, const A::Real*, A::Real*);                         \
  template void rms_norm_backward<A>(long, int, int, const A::Real*, const A::Real*, const A::Real*, A::Real*, \
                                     A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
