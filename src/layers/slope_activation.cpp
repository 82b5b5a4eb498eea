// SPDX-License-Identifier: MIT
#include "layers/slope_activation.hpp"

#include "core/loops.hpp"
#include "layers/in_duals.hpp"

namespace isotrope {
namespace {

/// From a row of values to that of slopes.
template <class A>
KOKKOS_INLINE_FUNCTION constexpr int slope_part(int width) {
  return in_duals<A> ? width : 0;
}

template <class A>
struct ActivateForSlope {
  using T = typename A::Real;
  int width;
  T *x, *y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    const auto both = silu_and_slope(A::load(x + at, width));
    A::store(y + at, width, both.value);
    A::store(x + at + slope_part<A>(width), width, both.slope);
  }
};

template <class A>
struct MultiplyBySlope {
  using T = typename A::Real;
  int width;
  const T *slope, *gy;
  T* gx;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    A::store(gx + at, width, A::load(gy + at, width) * A::load(slope + at + slope_part<A>(width), width));
  }
};

}  // namespace

template <class A>
void activate_for_slope(long n, int width, typename A::Real* x, typename A::Real* y) {
  for_channels("isotrope::activate_for_slope", n, width / lane_width<typename A::Real>,
               ActivateForSlope<A>{width, x, y});
}

template <class A>
void multiply_by_slope(long n, int width, const typename A::Real* slope, const typename A::Real* gy,
                       typename A::Real* gx) {
  for_channels("isotrope::multiply_by_slope", n, width / lane_width<typename A::Real>,
               MultiplyBySlope<A>{width, slope, gy, gx});
}

#define ISOTROPE_INSTANTIATE(A)                                       \
  template void activate_for_slope<A>(long, int, A::Real*, A::Real*); \
  template void multiply_by_slope<A>(long, int, const A::Real*, const A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
