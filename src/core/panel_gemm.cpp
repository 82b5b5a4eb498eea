// SPDX-License-Identifier: MIT
#include "core/panel_gemm.hpp"

#include <algorithm>
#include <vector>

#include "core/lane_transpose.hpp"

#ifndef ISOTROPE_DEVICE_BUILD
namespace isotrope {
namespace {

constexpr int tile_rows = 6;             // with two lanes of columns 12 sums: what 16 registers hold beside factors
constexpr long most_depth = 384;         // of a panel, so that it stays in the first cache
constexpr long block_numbers = 1 << 15;  // of A, which all panels read: so that they stay in the second

/// Sums over p of a[r][p], or a[p][r], times panel[p][lanes], for `rows` rows and `lanes` lanes of columns.
template <Trans ta, class T, int rows, int lanes>
void tile(long depth, const T* a, long lda, const T* panel, bool add, T* c, long ldc) {
  constexpr int width = lane_width<T>, upper_rows = (rows + 1) / 2;
  // Two pointers to rows: their offsets then fit into registers, where those of six would be loaded at every step.
  const long row = ta == Trans::no ? lda : 1, step = ta == Trans::no ? 1 : lda;
  const T* lower = a + upper_rows * row;
  // What the sums are stored to is fetched while they are formed.
  for (int r = 0; r < rows; ++r) __builtin_prefetch(c + r * ldc, 1);
  Lane<T> sum[rows][lanes];
  for (int r = 0; r < rows; ++r) {
    for (int l = 0; l < lanes; ++l) sum[r][l] = Lane<T>(T(0));
  }
  for (const T* const end = panel + depth * lanes * width; panel != end;
       panel += lanes * width, a += step, lower += step) {
    Lane<T> b[lanes];
    for (int l = 0; l < lanes; ++l) b[l] = load_lane(panel + l * width);
    for (int r = 0; r < rows; ++r) {
      const Lane<T> x(r < upper_rows ? a[r * row] : lower[(r - upper_rows) * row]);
      for (int l = 0; l < lanes; ++l) sum[r][l] += x * b[l];
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int l = 0; l < lanes; ++l) {
      T* out = c + r * ldc + l * width;
      store_lane(out, add ? Lane<T>(load_lane(out) + sum[r][l]) : sum[r][l]);
    }
  }
}

/// A tile of as many rows as are left, 0 to `most`.
template <Trans ta, class T, int lanes, int most = tile_rows - 1>
void rest_of_panel(long rows, long depth, const T* a, long lda, const T* panel, bool add, T* c, long ldc) {
  if constexpr (most > 0) {
    if (rows == most) return tile<ta, T, most, lanes>(depth, a, lda, panel, add, c, ldc);
    rest_of_panel<ta, T, lanes, most - 1>(rows, depth, a, lda, panel, add, c, ldc);
  }
}

/// All rows of one panel.
template <Trans ta, class T, int lanes>
void rows_of_panel(long m, long depth, const T* a, long lda, const T* panel, bool add, T* c, long ldc) {
  const long row = ta == Trans::no ? lda : 1;
  long i = 0;
  for (; i + tile_rows <= m; i += tile_rows) {
    tile<ta, T, tile_rows, lanes>(depth, a + i * row, lda, panel, add, c + i * ldc, ldc);
  }
  rest_of_panel<ta, T, lanes>(m - i, depth, a + i * row, lda, panel, add, c + i * ldc, ldc);
}

/// Columns [0, width) of a block of op(B), `stride` apart in the panel.
template <class T>
void copy_columns(Trans tb, long depth, const T* b, long ldb, T* panel, long stride) {
  constexpr int width = lane_width<T>;
  if (tb == Trans::no) {
    for (long p = 0; p < depth; ++p) store_lane(panel + p * stride, load_lane(b + p * ldb));
    return;
  }
  long p = 0;
  for (; p + width <= depth; p += width) {
    Lane<T> square[width];
    for (int j = 0; j < width; ++j) square[j] = load_lane(b + j * ldb + p);
    transpose_square<T>(square);
    for (int i = 0; i < width; ++i) store_lane(panel + (p + i) * stride, square[i]);
  }
  for (; p < depth; ++p) {
    for (int j = 0; j < width; ++j) panel[p * stride + j] = b[j * ldb + p];
  }
}

/// Panels of two lanes of columns, [panel][depth][2 lanes]; the last has one lane where their number is odd.
template <class T>
void copy_panels(Trans tb, long n, long depth, const T* b, long ldb, T* panels) {
  constexpr long width = lane_width<T>;
  for (long j = 0; j < n; j += width) {
    const long first = j / (2 * width) * 2 * width, lanes = std::min<long>(2, (n - first) / width);
    copy_columns<T>(tb, depth, tb == Trans::no ? b + j : b + j * ldb, ldb, panels + first * depth + (j - first),
                    lanes * width);
  }
}

template <Trans ta, class T>
void multiply_block(long m, long n, long depth, const T* a, long lda, const T* panels, bool add, T* c, long ldc) {
  constexpr long width = lane_width<T>;
  long j = 0;
  for (; j + 2 * width <= n; j += 2 * width) {
    rows_of_panel<ta, T, 2>(m, depth, a, lda, panels + j * depth, add, c + j, ldc);
  }
  if (j < n) rows_of_panel<ta, T, 1>(m, depth, a, lda, panels + j * depth, add, c + j, ldc);
}

/// C = op(A) panels + (add ? C : 0), blocks of rows at a time.
template <class T>
void multiply_panels(Trans ta, long m, long n, long depth, const T* a, long lda, const T* panels, bool add, T* c,
                     long ldc) {
  const long block = std::max<long>(1, block_numbers / (depth * tile_rows)) * tile_rows;
  for (long i = 0; i < m; i += block) {
    const long rows = std::min(block, m - i);
    if (ta == Trans::no) {
      multiply_block<Trans::no, T>(rows, n, depth, a + i * lda, lda, panels, add, c + i * ldc, ldc);
    } else {
      multiply_block<Trans::yes, T>(rows, n, depth, a + i, lda, panels, add, c + i * ldc, ldc);
    }
  }
}

/// The inner dimension in pieces of about the same size.
long depth_of_panels(long k) {
  const long pieces = (k + most_depth - 1) / most_depth;
  return (k + pieces - 1) / pieces;
}

}  // namespace

template <class T>
bool panel_gemm_serves(Trans ta, long m, long n, long k, T beta) {
  constexpr bool wide = lane_width<T> * sizeof(T) >= 32;  // without AVX2, BLAS finds better instructions when it runs
  const bool pays = (m >= 32 || n * k <= 4096) && (ta == Trans::no || (k <= 256 && n <= 96));
  return wide && pays && n % lane_width<T> == 0 && k > 0 && (beta == T(0) || beta == T(1));
}

template <class T>
void panel_gemm(Trans ta, Trans tb, long m, long n, long k, const T* a, long lda, const T* b, long ldb, T beta, T* c,
                long ldc) {
  static thread_local std::vector<T> panels;
  const long most = depth_of_panels(k);
  panels.resize(std::max<std::size_t>(panels.size(), most * n));
  for (long p = 0; p < k; p += most) {
    const long depth = std::min(most, k - p);
    copy_panels<T>(tb, n, depth, tb == Trans::no ? b + p * ldb : b + p, ldb, panels.data());
    multiply_panels<T>(ta, m, n, depth, ta == Trans::no ? a + p : a + p * lda, lda, panels.data(),
                       p > 0 || beta != T(0), c, ldc);
  }
}

template <class T>
void pack_panels(Trans tb, long n, long k, const T* b, long ldb, T* panels) {
  const long most = depth_of_panels(k);
  for (long p = 0; p < k; p += most) {
    copy_panels<T>(tb, n, std::min(most, k - p), tb == Trans::no ? b + p * ldb : b + p, ldb, panels + p * n);
  }
}

template <class T>
void packed_gemm(long m, long n, long k, const T* a, long lda, const T* panels, T beta, T* c, long ldc) {
  const long most = depth_of_panels(k);
  for (long p = 0; p < k; p += most) {
    multiply_panels<T>(Trans::no, m, n, std::min(most, k - p), a + p, lda, panels + p * n, p > 0 || beta != T(0), c,
                       ldc);
  }
}

template bool panel_gemm_serves(Trans, long, long, long, float);
template bool panel_gemm_serves(Trans, long, long, long, double);
template void panel_gemm(Trans, Trans, long, long, long, const float*, long, const float*, long, float, float*, long);
template void panel_gemm(Trans, Trans, long, long, long, const double*, long, const double*, long, double, double*,
                         long);
template void pack_panels(Trans, long, long, const float*, long, float*);
template void pack_panels(Trans, long, long, const double*, long, double*);
template void packed_gemm(long, long, long, const float*, long, const float*, float, float*, long);
template void packed_gemm(long, long, long, const double*, long, const double*, double, double*, long);

}  // namespace isotrope
#endif
