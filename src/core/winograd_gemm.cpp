// SPDX-License-Identifier: MIT
#include "core/winograd_gemm.hpp"

#include <vector>

#include "core/panel_gemm.hpp"
#include "core/panel_tile.hpp"

#ifndef ISOTROPE_DEVICE_BUILD
namespace isotrope {
namespace {

/// What is packed, in panels of n/2 columns and k/2 rows each.
enum Factor { b11, b21, b22, t1, t2, t3, minus_t4 };

constexpr long least = 128, most_depth = 384;  // of k and n; of k/2, so that panels stay near
constexpr long block_numbers = 1 << 14;        // of a half of A, which all panels read

/// Quarters of A and its sums for the rows of one tile; sums have rows of `depth`.
template <class T>
struct Rows {
  const T *a11, *a21, *s1, *s2, *s3, *s4;
  long depth, lda;
};
/// Where the quarters of C begin: `right` and `down` lead from the first to its neighbours.
struct Quarters {
  long ldc, right, down;
};

template <class T>
T* at(T* p, long offset) {
  return p ? p + offset : nullptr;
}

template <class T, int rows, int lanes>
void tile(const Rows<T>& a, const T* panel, long next_factor, const T* from, T* c, const Quarters& q) {
  using Tile = tiles::Tile<T, rows, lanes>;
  constexpr long width = lanes * lane_width<T>;
  alignas(64) T u2[rows * width], u3[rows * width];
  const auto add = [&](Tile & t, const T* x, long row, Factor factor) __attribute__((always_inline)) {
    t.add_products(a.depth, x, row, 1, panel + factor * next_factor, width);
  };
  const long ldc = q.ldc;
  Tile::fetch(c, ldc);
  Tile t;
  t.clear();
  add(t, a.a11, a.lda, b11);
  t.put(nullptr, u2, width);
  add(t, a.a11 + a.depth, a.lda, b21);
  t.put(from, c, ldc);
  Tile::fetch(c + q.down, ldc);
  t.clear();
  t.add(u2, width);
  add(t, a.s2, a.depth, t2);
  t.put(nullptr, u2, width);
  add(t, a.s3, a.depth, t3);
  t.put(nullptr, u3, width);
  add(t, a.a21 + a.depth, a.lda, minus_t4);
  t.put(at(from, q.down), c + q.down, ldc);
  Tile::fetch(c + q.right, ldc);
  Tile::fetch(c + q.right + q.down, ldc);
  t.clear();
  add(t, a.s1, a.depth, t1);
  t.put_sum(u3, width, at(from, q.right + q.down), c + q.right + q.down, ldc);
  t.add(u2, width);
  add(t, a.s4, a.depth, b22);
  t.put(at(from, q.right), c + q.right, ldc);
}

/// A tile of `rows` rows and `lanes` lanes, 1 to `most` of each.
template <class T, int lanes, int most = tiles::most_rows, class... Args>
void rows_of_tile(long rows, const Args&... args) {
  if (rows == most) return tile<T, most, lanes>(args...);
  if constexpr (most > 1) rows_of_tile<T, lanes, most - 1>(rows, args...);
}
template <class T, int most = tiles::most_lanes, class... Args>
void lanes_of_tile(int lanes, long rows, const Args&... args) {
  if (lanes == most) return rows_of_tile<T, most>(rows, args...);
  if constexpr (most > 1) lanes_of_tile<T, most - 1>(lanes, rows, args...);
}

/// The sums of quarters of A for `pairs` rows of its upper half and the same of its lower.
template <class T>
void sum_quarters(long pairs, long depth, const T* upper, const T* lower, long lda, T* s) {
  constexpr int width = lane_width<T>;
  const long next = pairs * depth;
  for (long r = 0; r < pairs; ++r, upper += lda, lower += lda) {
    for (long p = 0; p < depth; p += width, s += width) {
      const Lane<T> a11 = load_lane(upper + p), a12 = load_lane(upper + depth + p), a21 = load_lane(lower + p);
      const Lane<T> s1 = a21 + load_lane(lower + depth + p), s2 = s1 - a11;
      store_lane(s, s1);
      store_lane(s + next, s2);
      store_lane(s + 2 * next, Lane<T>(a11 - a21));
      store_lane(s + 3 * next, Lane<T>(a12 - s2));
    }
  }
}

/// `pairs` rows from `upper` on and the same of the lower half.
template <class T>
void multiply_pairs(long pairs, long n, long k, const T* upper, const T* lower, long lda, const T* packed,
                    const T* from, T* c, long ldc, long down) {
  constexpr int width = lane_width<T>;
  static thread_local std::vector<T> sums;
  const long depth = k / 2, columns = n / 2, next = pairs * depth;
  sums.resize(std::max<std::size_t>(sums.size(), 4 * next));
  sum_quarters(pairs, depth, upper, lower, lda, sums.data());
  for (long j = 0, lanes = 0; j < columns; j += lanes * width) {
    lanes = tiles::panel_lanes((columns - j) / width);
    for (long r = 0; r < pairs; r += tiles::most_rows) {
      const T* const s = sums.data() + r * depth;
      const Rows<T> rows{upper + r * lda, lower + r * lda, s, s + next, s + 2 * next, s + 3 * next, depth, lda};
      lanes_of_tile<T>(static_cast<int>(lanes), std::min<long>(tiles::most_rows, pairs - r), rows, packed + j * depth,
                       columns * depth, at(from, r * ldc + j), c + r * ldc + j, Quarters{ldc, columns, down});
    }
  }
}

}  // namespace

template <class T>
bool winograd_serves(long n, long k) {
  constexpr bool wide = lane_width<T> * sizeof(T) >= 32;
  return wide && n >= least && k >= least && k / 2 <= most_depth && n % (2 * lane_width<T>) == 0 &&
         k % (2 * lane_width<T>) == 0;
}

template <class T>
void pack_winograd(Trans tb, long n, long k, const T* b, long ldb, T* packed) {
  const long columns = n / 2, depth = k / 2, size = columns * depth;
  const auto of = [&](Factor factor) { return packed + factor * size; };
  const auto pack = [&](int row, int column, Factor factor) {
    const long offset = tb == Trans::no ? row * depth * ldb + column * columns : row * depth + column * columns * ldb;
    pack_panels<T>(tb, columns, depth, b + offset, ldb, of(factor));
  };
  pack(0, 0, b11);
  pack(0, 1, t3);  // B12
  pack(1, 0, b21);
  pack(1, 1, b22);
  for (long i = 0; i < size; i += lane_width<T>) {
    const auto load = [&](Factor factor) { return load_lane(of(factor) + i); };
    const auto store = [&](Factor factor, const Lane<T>& x) { store_lane(of(factor) + i, x); };
    const Lane<T> x12 = load(t3), x22 = load(b22), y1 = x12 - load(b11), y2 = x22 - y1;
    store(t1, y1);
    store(t2, y2);
    store(t3, x22 - x12);
    store(minus_t4, load(b21) - y2);
  }
}

/// Of an odd number of rows the one in the middle belongs to both halves, except where what it is added to would be
/// written twice: then the last has itself for a partner, of which nothing is kept.
template <class T>
void winograd_gemm(long m, long n, long k, const T* a, long lda, const T* packed, const T* from, T* c, long ldc) {
  const long half = from == c ? m / 2 : (m + 1) / 2, lower = m / 2;
  const long most = std::max<long>(1, block_numbers / (k * tiles::most_rows)) * tiles::most_rows;
  for (long r = 0; r < half; r += most) {
    const T* const upper = a + r * lda;
    multiply_pairs<T>(std::min(most, half - r), n, k, upper, upper + lower * lda, lda, packed, at(from, r * ldc),
                      c + r * ldc, ldc, lower * ldc);
  }
  if (2 * half >= m) return;
  static thread_local std::vector<T> row;
  row.assign(2 * n, T(0));
  const T* const last = a + (m - 1) * lda;
  multiply_pairs<T>(1, n, k, last, last, lda, packed, nullptr, row.data(), n, n);
  for (long j = 0; j < n; ++j) c[(m - 1) * ldc + j] += row[j];
}

template bool winograd_serves<float>(long, long);
template bool winograd_serves<double>(long, long);
template void pack_winograd(Trans, long, long, const float*, long, float*);
template void pack_winograd(Trans, long, long, const double*, long, double*);
template void winograd_gemm(long, long, long, const float*, long, const float*, const float*, float*, long);
template void winograd_gemm(long, long, long, const double*, long, const double*, const double*, double*, long);

}  // namespace isotrope
#endif
