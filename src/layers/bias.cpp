// SPDX-License-Identifier: MIT
#include "layers/bias.hpp"

#include "core/loops.hpp"

namespace isotrope {
namespace {

template <class A>
struct AddBias {
  using T = typename A::Real;
  int width;
  const T* bias;
  T* y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    T* row = y + static_cast<long>(i) * width * A::rows + b * lane_width<T>;
    store_lane(row, Lane<T>(load_lane(row) + load_lane(bias + b * lane_width<T>)));
  }
};

template <class T>
struct BiasGradient {
  long rows;
  int width;
  const T* g;
  T* gradient;
  KOKKOS_FUNCTION void operator()(int, int b) const {
    T* target = gradient + b * lane_width<T>;
    Lane<T> sum = load_lane(target);
    for (long i = 0; i < rows; ++i) sum += load_lane(g + (2 * i + 1) * width + b * lane_width<T>);
    store_lane(target, sum);
  }
};

}  // namespace

template <class A>
void add_bias(long rows, int width, const typename A::Real* bias, typename A::Real* y) {
  using T = typename A::Real;
  for_channels("isotrope::add_bias", static_cast<int>(rows), width / lane_width<T>, AddBias<A>{width, bias, y});
}

template <class A>
void bias_gradient([[maybe_unused]] long rows, [[maybe_unused]] int width, [[maybe_unused]] const typename A::Real* g,
                   [[maybe_unused]] typename A::Real* gradient) {
  if constexpr (A::dual) {
    using T = typename A::Real;
    for_channels("isotrope::bias_gradient", 1, width / lane_width<T>, BiasGradient<T>{rows, width, g, gradient});
  }
}

#define ISOTROPE_INSTANTIATE(A)                                   \
  template void add_bias<A>(long, int, const A::Real*, A::Real*); \
  template void bias_gradient<A>(long, int, const A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
