// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/lane.hpp"

/// Horizontal sums of several lanes at once: two lanes become one with a shuffle and an addition, until number k of the
/// last one is the sum of lane k.
namespace isotrope {
#ifndef ISOTROPE_DEVICE_BUILD

namespace lane_detail {
/// Where bit `step` of a place is not set, a sum of two numbers of `a`, else of `b`.
template <int step, class T>
inline Lane<T> merge_sums(const Lane<T>& a, const Lane<T>& b) {
  constexpr int n = lane_width<T>;
  using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef T Raw __attribute__((vector_size(n * sizeof(T))));
  typedef Index Mask __attribute__((vector_size(n * sizeof(T))));
  Mask stays{}, comes{};
  for (int p = 0; p < n; ++p) {
    stays[p] = (p & step) == 0 ? p : n + p;
    comes[p] = (p & step) == 0 ? p + step : n + p - step;
  }
  const Raw x = __builtin_bit_cast(Raw, a), y = __builtin_bit_cast(Raw, b);
  return __builtin_bit_cast(Lane<T>, Raw(Raw(__builtin_shuffle(x, y, stays)) + Raw(__builtin_shuffle(x, y, comes))));
}
/// Sums of the lanes from `first` on, 2 * step of them side by side; there is none past N, and nobody reads its sum.
template <int N, int first, int step, class T>
KOKKOS_FORCEINLINE_FUNCTION Lane<T> merged(const Lane<T>* x) {
  if constexpr (step == 0) {
    return x[first];
  } else {
    const Lane<T> a = merged<N, first, step / 2, T>(x);
    if constexpr (first + step < N) {
      return merge_sums<step, T>(a, merged<N, first + step, step / 2, T>(x));
    } else {
      return merge_sums<step, T>(a, a);
    }
  }
}
}  // namespace lane_detail

/// target[k] = the sum of the numbers of x[k], k < N.
template <int N, class T>
KOKKOS_FORCEINLINE_FUNCTION void store_sums(const Lane<T>* x, T* target) {
  constexpr int w = lane_width<T>;
  if constexpr (N > w) {
    store_lane(target, lane_detail::merged<w, 0, w / 2, T>(x));
    store_sums<N - w, T>(x + w, target + w);
  } else {
    const Lane<T> sums = lane_detail::merged<N, 0, w / 2, T>(x);
    const Lane<T> place = lane_of<T>([](int p) { return p; });
    stdx::where(place < T(N), sums).copy_to(target, stdx::element_aligned);
  }
}
#endif

}  // namespace isotrope
