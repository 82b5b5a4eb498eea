// SPDX-License-Identifier: MIT
#include "layers/slope_activation.hpp"

#include "core/loops.hpp"
#include "layers/in_duals.hpp"

namespace isotrope {
namespace {

template <class V>
KOKKOS_INLINE_FUNCTION V slope_of(const V& sigmoid, const V& silu) {
  using T = decltype(horizontal_sum(sigmoid));
  return sigmoid + silu * (T(1) - sigmoid);
}

template <class A>
struct ActivateForSlope {
  using T = typename A::Real;
  int width;
  T *x, *y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    const typename A::Vec of = A::load(x + at, width);
    if constexpr (A::dual) {
      const auto both = silu_and_slope(of);
      A::store(y + at, width, both.value);
      A::store(x + at, width, both.slope);
    } else {
      // To the last bit the same wherever the slope is formed.
      const typename A::Vec s = sigmoid(of), silu = of * s;
      A::store(y + at, width, silu);
      A::store(x + at, width, in_duals<A> ? s : slope_of(s, silu));
    }
  }
};

/// Of duals whose values are there: x has the sigmoid as its value.
template <class T>
struct ActivateTangents {
  int width;
  T *x, *y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = 2L * i * width + b * lane_width<T>;
    const Lane<T> s = load_lane(x + at), silu = load_lane(y + at), tangent = load_lane(x + at + width);
    const Lane<T> slope = slope_of(s, silu);
    const Lane<T> curvature = (T(1) - s) * (T(2) * s + (T(1) - T(2) * s) * silu);
    store_lane(y + at + width, Lane<T>(slope * tangent));
    store_lane(x + at, slope);
    store_lane(x + at + width, Lane<T>(curvature * tangent));
  }
};

template <class A>
struct MultiplyBySlope {
  using T = typename A::Real;
  int width;
  const T *x, *y, *gy;
  T* gx;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    typename A::Vec slope = A::load(x + at, width);
    if constexpr (in_duals<A>) slope = slope_of(slope, A::load(y + at, width));
    A::store(gx + at, width, A::load(gy + at, width) * slope);
  }
};

}  // namespace

template <class A>
void activate_for_slope(long n, int width, Values values, typename A::Real* x, typename A::Real* y) {
  using T = typename A::Real;
  const int blocks = width / lane_width<T>;
  if (A::dual && values == Values::there) {
    for_channels("isotrope::activate_tangents", n, blocks, ActivateTangents<T>{width, x, y});
  } else {
    for_channels("isotrope::activate_for_slope", n, blocks, ActivateForSlope<A>{width, x, y});
  }
}

template <class A>
void multiply_by_slope(long n, int width, const typename A::Real* x, const typename A::Real* y,
                       const typename A::Real* gy, typename A::Real* gx) {
  for_channels("isotrope::multiply_by_slope", n, width / lane_width<typename A::Real>,
               MultiplyBySlope<A>{width, x, y, gy, gx});
}

#define ISOTROPE_INSTANTIATE(A)                                               \
  template void activate_for_slope<A>(long, int, Values, A::Real*, A::Real*); \
  template void multiply_by_slope<A>(long, int, const A::Real*, const A::Real*, const A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
