// SPDX-License-Identifier: MIT
#include "layers/channels.hpp"

namespace isotrope {
namespace {

template <class A>
struct AddBias {
  using T = typename A::Real;
  int pad;
  const T* bias;
  T* y;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    T* at = y + static_cast<long>(i) * pad * A::rows + b * lane_width<T>;
    store_lane(at, Lane<T>(load_lane(at) + load_lane(bias + b * lane_width<T>)));
  }
};

template <class T>
struct AddNumbers {
  const T* from;
  T* to;
  KOKKOS_FUNCTION void operator()(long i) const { to[i] += from[i]; }
};

template <class T>
struct SetValues {
  int width;
  const T* x;
  T* duals;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const long at = static_cast<long>(i) * width;
    store_lane(duals + 2 * at + b * lane_width<T>, load_lane(x + at + b * lane_width<T>));
  }
};

template <class A>
struct BiasGradient {
  using T = typename A::Real;
  long rows;
  int pad;
  const T* gy;
  T* gradient;
  KOKKOS_FUNCTION void operator()(int, int b) const {
    typename A::Vec sum = A::zero();
    for (long i = 0; i < rows; ++i) sum += A::load(gy + i * pad * A::rows + b * lane_width<T>, pad);
    add_weight_gradient<A>(gradient + b * lane_width<T>, sum);
  }
};

}  // namespace

template <class T>
void add_numbers(long n, const T* from, T* to) {
  for_each("isotrope::add_numbers", n, AddNumbers<T>{from, to});
}
template void add_numbers(long, const float*, float*);
template void add_numbers(long, const double*, double*);

template <class T>
void set_values(long rows, int width, const T* x, T* duals) {
  for_channels("isotrope::set_values", rows, width / lane_width<T>, SetValues<T>{width, x, duals});
}
template void set_values(long, int, const float*, float*);
template void set_values(long, int, const double*, double*);

template <class A>
void add_bias(long rows, int pad, const typename A::Real* bias, typename A::Real* y) {
  for_channels("isotrope::add_bias", rows, pad / lane_width<typename A::Real>, AddBias<A>{pad, bias, y});
}

template <class A>
void add_bias_gradient(long rows, int pad, const typename A::Real* gy, typename A::Real* weight_gradient) {
  if (!weight_gradient) return;
  for_channels("isotrope::add_bias_gradient", 1, pad / lane_width<typename A::Real>,
               BiasGradient<A>{rows, pad, gy, weight_gradient});
}

#define ISOTROPE_INSTANTIATE(A)                                   \
  template void add_bias<A>(long, int, const A::Real*, A::Real*); \
  template void add_bias_gradient<A>(long, int, const A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
