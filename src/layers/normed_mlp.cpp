// SPDX-License-Identifier: MIT
#include "layers/normed_mlp.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

/// What the norm of one row needs: x is centred by mean and divided by the spread.
template <class A>
struct RowNorm {
  typename A::Num mean, inverse_spread;
};

template <class A>
struct NormRows {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  int width, pad;
  const T *bias, *gain, *shift;

  KOKKOS_INLINE_FUNCTION int blocks() const { return pad / lane_width<T>; }
  KOKKOS_INLINE_FUNCTION Vec input(const T* x, int c) const {
    return plus(A::load(x + c, pad), load_weight<A>(bias + c));
  }
  template <class Team>
  KOKKOS_INLINE_FUNCTION RowNorm<A> measure(const Team& team, const T* x) const {
    using std::sqrt;
    Vec sum = A::zero(), square = A::zero();
    team.for_blocks(blocks(), [&](int b) { sum += input(x, b * lane_width<T>); });
    const typename A::Num mean = team_sum<A>(team, sum) * (T(1) / T(width));
    team.for_blocks(blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      const Vec centred = keep_live<A>(input(x, c) - mean, c, width);
      square += centred * centred;
    });
    const typename A::Num variance = team_sum<A>(team, square) * (T(1) / T(width));
    return {mean, T(1) / sqrt(variance + T(1e-5))};
  }
};

template <class A>
struct NormActivate {
  using T = typename A::Real;
  NormRows<A> rows;
  const T* x;
  T* y;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int e) const {
    const long at = static_cast<long>(e) * rows.pad * A::rows;
    const RowNorm<A> norm = rows.measure(team, x + at);
    team.for_blocks(rows.blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      const typename A::Vec z = plus(times(load_weight<A>(rows.gain + c),
                                           typename A::Vec((rows.input(x + at, c) - norm.mean) * norm.inverse_spread)),
                                     load_weight<A>(rows.shift + c));
      A::store(y + at + c, rows.pad, silu(z));
    });
  }
};

/// gx may be gy. Gradients of bias, gain and shift are added where there are places for them.
template <class A>
struct NormActivateBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  NormRows<A> rows;
  const T *x, *gy;
  T *gx, *g_bias, *g_gain, *g_shift;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int e) const {
    const long at = static_cast<long>(e) * rows.pad * A::rows;
    const RowNorm<A> norm = rows.measure(team, x + at);
    Vec sum = A::zero(), along = A::zero();
    team.for_blocks(rows.blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      const Vec normed = normalised(at, c, norm), g = through_activation(at, c, normed);
      if (g_gain) {
        add_weight_gradient<A>(g_gain + c, g * normed);
        add_weight_gradient<A>(g_shift + c, g);
      }
      const Vec scaled = times(load_weight<A>(rows.gain + c), g);
      sum += scaled;
      along += scaled * normed;
    });
    const typename A::Num mean = team_sum<A>(team, sum) * (T(1) / T(rows.width));
    const typename A::Num slope = team_sum<A>(team, along) * (T(1) / T(rows.width));
    team.for_blocks(rows.blocks(), [&](int b) {
      const int c = b * lane_width<T>;
      const Vec normed = normalised(at, c, norm);
      const Vec scaled = times(load_weight<A>(rows.gain + c), through_activation(at, c, normed));
      const Vec g = keep_live<A>((scaled - mean - slope * normed) * norm.inverse_spread, c, rows.width);
      if (g_bias) add_weight_gradient<A>(g_bias + c, g);
      A::store(gx + at + c, rows.pad, g);
    });
  }
  KOKKOS_INLINE_FUNCTION Vec normalised(long at, int c, const RowNorm<A>& norm) const {
    return keep_live<A>((rows.input(x + at, c) - norm.mean) * norm.inverse_spread, c, rows.width);
  }
  KOKKOS_INLINE_FUNCTION Vec through_activation(long at, int c, const Vec& normed) const {
    const Vec z = plus(times(load_weight<A>(rows.gain + c), normed), load_weight<A>(rows.shift + c));
    return A::load(gy + at + c, rows.pad) * silu_slope(z);
  }
};

template <class A>
NormRows<A> norm_rows(const NormedMlp::Hidden& layer, const typename A::Real* weights) {
  return {layer.width, layer.linear.out, weights + layer.bias, weights + layer.gain, weights + layer.shift};
}

}  // namespace

template <class A>
void NormedMlp::forward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
                        typename A::Real* output) const {
  scratch.before.resize(hidden.size());
  scratch.after.resize(hidden.size());
  const typename A::Real* x = input;
  for (std::size_t k = 0; k < hidden.size(); ++k) {
    const Matrix& w = hidden[k].linear;
    auto* before = scratch.before[k].reserve(edges * w.out * A::rows);
    auto* after = scratch.after[k].reserve(edges * w.out * A::rows);
    linear_forward<A>(weights, w, edges, x, w.in, 0, before, w.out);
    for_teams("isotrope::norm_activate", edges, NormActivate<A>{norm_rows<A>(hidden[k], weights), before, after});
    x = after;
  }
  linear_forward<A>(weights, last, edges, x, last.in, 0, output, last.out);
  add_bias<A>(edges, last.out, weights + offset, output);
}

template <class A>
void NormedMlp::backward(const typename A::Real* weights, long edges, const typename A::Real* input,
                         Scratch<A>& scratch, const typename A::Real* g_output, typename A::Real* g_input,
                         typename A::Real* weight_gradient) const {
  using T = typename A::Real;
  const auto place = [&](std::size_t at) { return weight_gradient ? weight_gradient + at : nullptr; };
  linear_weight_gradient<A>(last, edges, scratch.after.back().data(), last.in, g_output, last.out, weight_gradient);
  add_bias_gradient<A>(edges, last.out, g_output, place(offset));
  Buffer<T>*next = &scratch.gradient, *other = &scratch.gradient_next;
  T* g = next->reserve(edges * last.in * A::rows);
  linear_backward<A>(weights, last, edges, g_output, last.out, 0, g, last.in);
  for (std::size_t k = hidden.size(); k-- > 0;) {
    const Matrix& w = hidden[k].linear;
    for_teams("isotrope::norm_activate_backward", edges,
              NormActivateBackward<A>{norm_rows<A>(hidden[k], weights), scratch.before[k].data(), g, g,
                                      place(hidden[k].bias), place(hidden[k].gain), place(hidden[k].shift)});
    const T* x = k > 0 ? scratch.after[k - 1].data() : input;
    linear_weight_gradient<A>(w, edges, x, w.in, g, w.out, weight_gradient);
    if (k == 0 && !g_input) return;
    std::swap(next, other);
    T* gx = k > 0 ? next->reserve(edges * w.in * A::rows) : g_input;
    linear_backward<A>(weights, w, edges, g, w.out, 0, gx, w.in);
    g = gx;
  }
}

#define ISOTROPE_INSTANTIATE(A)                                                                                      \
  template void NormedMlp::forward<A>(const A::Real*, long, const A::Real*, NormedMlp::Scratch<A>&, A::Real*) const; \
  template void NormedMlp::backward<A>(const A::Real*, long, const A::Real*, NormedMlp::Scratch<A>&, const A::Real*, \
                                       A::Real*, A::Real*) const;
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
