// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>

#include "core/lane_hold.hpp"

#ifndef ISOTROPE_DEVICE_BUILD
/// Tiles of matrix products: sums for some rows and lanes of columns, in registers.
namespace isotrope::tiles {

/// Rows and lanes of columns of a tile: 21 sums with the 32 registers of AVX-512, else 12 with 16, and their factors.
inline constexpr bool many_registers = vector_registers<float> == 32;
inline constexpr int most_rows = many_registers ? 7 : 6;
inline constexpr int most_lanes = many_registers ? 3 : 2;

/// Lanes of the next panel where `left` are left: the last two share what is more than one panel and less than two.
constexpr int panel_lanes(long left) {
  return static_cast<int>(left == most_lanes + 1 ? (left + 1) / 2 : std::min<long>(left, most_lanes));
}

/// Loops that GCC unrolls late would leave the sums in memory before and after they are formed.
template <class T, int rows, int lanes>
struct Tile {
  static constexpr int width = lane_width<T>;
  Lane<T> sum[rows][lanes];

  [[gnu::always_inline]] void clear() {
#pragma GCC unroll 7
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
      for (int l = 0; l < lanes; ++l) sum[r][l] = Lane<T>(T(0));
    }
  }

  /// += sums over p of a[r][p] or, where rows are one apart, of a[p][r] times panel[p][lanes].
  [[gnu::always_inline]] void add_products(long depth, const T* a, long row, long step, const T* panel,
                                           long panel_row) {
    constexpr int upper_rows = (rows + 1) / 2;
    // Two pointers to rows: their offsets then fit into registers, where those of six would be loaded at every step.
    const T* lower = a + upper_rows * row;
    for (const T* const end = panel + depth * panel_row; panel != end; panel += panel_row, a += step, lower += step) {
      Lane<T> b[lanes];
#pragma GCC unroll 3
      for (int l = 0; l < lanes; ++l) b[l] = load_lane(panel + l * width);
#pragma GCC unroll 7
      for (int r = 0; r < rows; ++r) {
        const Lane<T> x(r < upper_rows ? a[r * row] : lower[(r - upper_rows) * row]);
#pragma GCC unroll 3
        for (int l = 0; l < lanes; ++l) sum[r][l] += x * b[l];
      }
    }
  }

  /// += what rows at c have.
  [[gnu::always_inline]] void add(const T* c, long ldc) {
#pragma GCC unroll 7
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
      for (int l = 0; l < lanes; ++l) sum[r][l] += load_lane(c + r * ldc + l * width);
    }
  }

  /// To rows at c, with what `from` has, where it is not null, added there.
  [[gnu::always_inline]] void put(const T* from, T* c, long ldc) const {
#pragma GCC unroll 7
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
      for (int l = 0; l < lanes; ++l) {
        const long at = r * ldc + l * width;
        store_lane(c + at, from ? Lane<T>(load_lane(from + at) + sum[r][l]) : sum[r][l]);
      }
    }
  }

  /// The same with what rows at `other` have.
  [[gnu::always_inline]] void put_sum(const T* other, long ld, const T* from, T* c, long ldc) const {
#pragma GCC unroll 7
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 3
      for (int l = 0; l < lanes; ++l) {
        const long at = r * ldc + l * width;
        const Lane<T> x = sum[r][l] + load_lane(other + r * ld + l * width);
        store_lane(c + at, from ? Lane<T>(load_lane(from + at) + x) : x);
      }
    }
  }

  /// What will be stored to is fetched while the sums are formed.
  [[gnu::always_inline]] static void fetch(T* c, long ldc) {
    for (int r = 0; r < rows; ++r) {
      for (int l = 0; l < lanes; ++l) __builtin_prefetch(c + r * ldc + l * width, 1);
    }
  }
};

}  // namespace isotrope::tiles
#endif
