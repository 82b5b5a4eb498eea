// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <type_traits>

#include "core/lane.hpp"

/// Squares of lanes are transposed in registers: [item][component] to one lane of items per component.
namespace isotrope {
#ifndef ISOTROPE_DEVICE_BUILD

namespace lane_detail {
/// One stage of the transposition of a square of lanes: blocks of `step` numbers change places between two rows.
template <int step, class T>
inline void exchange_blocks(Lane<T>& a, Lane<T>& b) {
  constexpr int n = lane_width<T>;
  using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef T Raw __attribute__((vector_size(n * sizeof(T))));
  typedef Index Mask __attribute__((vector_size(n * sizeof(T))));
  Mask upper{}, lower{};
  for (int p = 0; p < n; ++p) {
    upper[p] = (p & step) == 0 ? p : n + p - step;
    lower[p] = (p & step) == 0 ? p + step : n + p;
  }
  const Raw x = __builtin_bit_cast(Raw, a), y = __builtin_bit_cast(Raw, b);
  a = __builtin_bit_cast(Lane<T>, Raw(__builtin_shuffle(x, y, upper)));
  b = __builtin_bit_cast(Lane<T>, Raw(__builtin_shuffle(x, y, lower)));
}
template <int step, class T>
inline void transpose_stage(Lane<T>* rows) {
  if constexpr (step < lane_width<T>) {
    for (int r = 0; r < lane_width<T>; ++r) {
      if ((r & step) == 0) exchange_blocks<step, T>(rows[r], rows[r + step]);
    }
    transpose_stage<2 * step, T>(rows);
  }
}
}  // namespace lane_detail

/// A square of lane_width x lane_width numbers, rows to columns.
template <class T>
inline void transpose_square(Lane<T>* rows) {
  lane_detail::transpose_stage<1, T>(rows);
}
#else
/// A device's lane is one number.
template <class T>
KOKKOS_INLINE_FUNCTION void transpose_square(Lane<T>*) {}
#endif

}  // namespace isotrope
