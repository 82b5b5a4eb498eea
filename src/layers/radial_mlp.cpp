// SPDX-License-Identifier: MIT
#include "layers/radial_mlp.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

template <class A>
struct Activate {
  using T = typename A::Real;
  int width;
  T norm;
  const T* x;
  T* y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    A::store(y + at, width, silu(A::load(x + at, width)) * norm);
  }
};

template <class A>
struct ActivateBackward {
  using T = typename A::Real;
  int width;
  T norm;
  const T *x, *gy;
  T* gx;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    A::store(gx + at, width, A::load(gy + at, width) * silu_slope(A::load(x + at, width)) * norm);
  }
};

template <class A>
struct ScaleRows {
  using T = typename A::Real;
  int width;
  const typename A::Num* factor;
  T* x;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    T* row = x + static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    A::store(row, width, A::load(row, width) * spread<A>(factor[i]));
  }
};

/// From the adjoint of the scaled row: those of the row and of the factor. The row is an activation of `before`.
template <class A>
struct ScaleRowsBackward {
  using T = typename A::Real;
  int width;
  T norm;
  const typename A::Num* factor;
  const T* before;
  T* g;
  double* g_factor;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int i) const {
    const long at = static_cast<long>(i) * width * A::rows;
    typename A::Vec sum = A::zero();
    team.for_blocks(width / lane_width<T>, [&](int b) {
      T* row = g + at + b * lane_width<T>;
      const typename A::Vec g_scaled = A::load(row, width);
      if constexpr (!A::dual) sum += g_scaled * silu(A::load(before + at + b * lane_width<T>, width)) * norm;
      A::store(row, width, g_scaled * spread<A>(factor[i]));
    });
    if constexpr (!A::dual) {  // the dual pass ends at the edges
      const T total = team.sum(sum);
      team.once([&] { g_factor[i] += static_cast<double>(total); });
    }
  }
};

}  // namespace

template <class A>
void activate(long n, int width, double norm, const typename A::Real* x, typename A::Real* y) {
  using T = typename A::Real;
  for_channels("isotrope::activate", n, width / lane_width<T>, Activate<A>{width, static_cast<T>(norm), x, y});
}

template <class A>
void activate_backward(long n, int width, double norm, const typename A::Real* x, const typename A::Real* gy,
                       typename A::Real* gx) {
  using T = typename A::Real;
  for_channels("isotrope::activate_backward", n, width / lane_width<T>,
               ActivateBackward<A>{width, static_cast<T>(norm), x, gy, gx});
}

template <class A>
void RadialMlp::forward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
                        typename A::Real* output, const typename A::Num* factor) const {
  const std::size_t hidden = layers.size() - 1;
  scratch.before.resize(hidden);
  scratch.after.resize(hidden);
  const typename A::Real* x = input;
  for (std::size_t k = 0; k < hidden; ++k) {
    const Matrix& w = layers[k];
    auto* before = scratch.before[k].reserve(edges * w.out * A::rows);
    auto* after = scratch.after[k].reserve(edges * w.out * A::rows);
    linear_forward<A>(weights, w, edges, x, w.in, 0, before, w.out);
    activate<A>(edges, w.out, activation_norm, before, after);
    x = after;
    if (factor && k + 1 == hidden) {
      const int width = w.out;
      for_channels("isotrope::scale_rows", static_cast<int>(edges), width / lane_width<typename A::Real>,
                   ScaleRows<A>{width, factor, after});
    }
  }
  linear_forward<A>(weights, layers.back(), edges, x, layers.back().in, 0, output, layers.back().out);
}

template <class A>
void RadialMlp::backward(const typename A::Real* weights, long edges, const typename A::Real* input,
                         Scratch<A>& scratch, const typename A::Real* g_output, typename A::Real* g_input,
                         typename A::Real* weight_gradient, const typename A::Num* factor, double* g_factor) const {
  const typename A::Real* gy = g_output;
  Buffer<typename A::Real>*next = &scratch.gradient, *other = &scratch.gradient_next;
  for (std::size_t k = layers.size() - 1; k > 0; --k) {
    const Matrix& w = layers[k];
    linear_weight_gradient<A>(w, edges, scratch.after[k - 1].data(), w.in, gy, w.out, weight_gradient);
    auto* gx = next->reserve(edges * w.in * A::rows);
    linear_backward<A>(weights, w, edges, gy, w.out, 0, gx, w.in);
    if (factor && k + 1 == layers.size()) {
      for_teams("isotrope::scale_rows_backward", static_cast<int>(edges),
                ScaleRowsBackward<A>{w.in, static_cast<typename A::Real>(activation_norm), factor,
                                     scratch.before[k - 1].data(), gx, g_factor});
    }
    activate_backward<A>(edges, w.in, activation_norm, scratch.before[k - 1].data(), gx, gx);
    gy = gx;
    std::swap(next, other);
  }
  const Matrix& w = layers.front();
  linear_weight_gradient<A>(w, edges, input, w.in, gy, w.out, weight_gradient);
  if (g_input) linear_backward<A>(weights, w, edges, gy, w.out, 1, g_input, w.in);
}

#define ISOTROPE_INSTANTIATE(A)                                                                                      \
  template void activate<A>(long, int, double, const A::Real*, A::Real*);                                            \
  template void activate_backward<A>(long, int, double, const A::Real*, const A::Real*, A::Real*);                   \
  template void RadialMlp::forward<A>(const A::Real*, long, const A::Real*, RadialMlp::Scratch<A>&, A::Real*,        \
                                      const A::Num*) const;                                                          \
  template void RadialMlp::backward<A>(const A::Real*, long, const A::Real*, RadialMlp::Scratch<A>&, const A::Real*, \
                                       A::Real*, A::Real*, const A::Num*, double*) const;
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
