// SPDX-License-Identifier: MIT
#include "core/panel_gemm.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/lane_transpose.hpp"
#include "core/panel_tile.hpp"

#ifndef ISOTROPE_DEVICE_BUILD
namespace isotrope {
namespace {

using tiles::many_registers, tiles::panel_lanes;
constexpr int tile_rows = tiles::most_rows, tile_lanes = tiles::most_lanes;
constexpr long most_depth = 384;         // of a panel, so that it stays in the first cache, or near
constexpr long block_numbers = 1 << 15;  // of A, which all panels read: so that they stay in the second

/// A block of op(B) as tiles read it: the panel of columns from j on begins at data + j column, and its rows are `row`
/// apart.
template <class T>
struct Factor {
  const T* data;
  long column, row;
};

/// Sums over p of a[r][p], or a[p][r], times panel[p][lanes], for `rows` rows and `lanes` lanes of columns, added to
/// what `from` has, where it is not null, at the place of C.
template <Trans ta, class T, int rows, int lanes>
void tile(long depth, const T* a, long lda, const T* panel, long panel_row, const T* from, T* c, long ldc) {
  using Tile = tiles::Tile<T, rows, lanes>;
  Tile::fetch(c, ldc);
  Tile t;
  t.clear();
  t.add_products(depth, a, ta == Trans::no ? lda : 1, ta == Trans::no ? 1 : lda, panel, panel_row);
  t.put(from, c, ldc);
}

/// A tile of as many rows as are left, 0 to `most`.
template <Trans ta, class T, int lanes, int most = tile_rows - 1>
void rest_of_panel(long rows, long depth, const T* a, long lda, const T* panel, long panel_row, const T* from, T* c,
                   long ldc) {
  if constexpr (most > 0) {
    if (rows == most) return tile<ta, T, most, lanes>(depth, a, lda, panel, panel_row, from, c, ldc);
    rest_of_panel<ta, T, lanes, most - 1>(rows, depth, a, lda, panel, panel_row, from, c, ldc);
  }
}

/// All rows of one panel.
template <Trans ta, class T, int lanes>
void rows_of_panel(long m, long depth, const T* a, long lda, const T* panel, long panel_row, const T* from, T* c,
                   long ldc) {
  const long row = ta == Trans::no ? lda : 1;
  const auto from_row = [&](long i) { return from ? from + i * ldc : nullptr; };
  long i = 0;
  for (; i + tile_rows <= m; i += tile_rows) {
    tile<ta, T, tile_rows, lanes>(depth, a + i * row, lda, panel, panel_row, from_row(i), c + i * ldc, ldc);
  }
  rest_of_panel<ta, T, lanes>(m - i, depth, a + i * row, lda, panel, panel_row, from_row(i), c + i * ldc, ldc);
}

/// Rows of B, as long as a panel's.
template <class T>
void copy_rows(long depth, const T* b, long ldb, T* panel, long lanes) {
  constexpr long width = lane_width<T>;
  for (long p = 0; p < depth; ++p) {
    for (long l = 0; l < lanes; ++l) store_lane(panel + (p * lanes + l) * width, load_lane(b + p * ldb + l * width));
  }
}

/// A lane of columns of B^T, `stride` apart in the panel.
template <class T>
void copy_transposed(long depth, const T* b, long ldb, T* panel, long stride) {
  constexpr int width = lane_width<T>;
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

/// Panels of some lanes of columns, [panel][depth][lanes].
template <class T>
void copy_panels(Trans tb, long n, long depth, const T* b, long ldb, T* panels) {
  constexpr long width = lane_width<T>;
  for (long j = 0, lanes = 0; j < n; j += lanes * width) {
    lanes = panel_lanes((n - j) / width);
    T* panel = panels + j * depth;
    if (tb == Trans::no) {
      copy_rows<T>(depth, b + j, ldb, panel, lanes);
      continue;
    }
    for (long l = 0; l < lanes; ++l)
      copy_transposed<T>(depth, b + (j + l * width) * ldb, ldb, panel + l * width, lanes * width);
  }
}

template <class T>
Factor<T> in_panels(const T* panels, long depth) {
  return {panels, depth, 0};
}

/// All rows of a panel of `lanes` lanes of columns, 1 to `most`.
template <Trans ta, class T, int most = tile_lanes, class... Args>
void multiply_panel(int lanes, const Args&... args) {
  if (lanes == most) return rows_of_panel<ta, T, most>(args...);
  if constexpr (most > 1) multiply_panel<ta, T, most - 1>(lanes, args...);
}

template <Trans ta, class T>
void multiply_block(long m, long n, long depth, const T* a, long lda, const Factor<T>& b, const T* from, T* c,
                    long ldc) {
  constexpr long width = lane_width<T>;
  for (long j = 0, lanes = 0; j < n; j += lanes * width) {
    lanes = panel_lanes((n - j) / width);
    multiply_panel<ta, T>(static_cast<int>(lanes), m, depth, a, lda, b.data + j * b.column,
                          b.row ? b.row : lanes * width, from ? from + j : nullptr, c + j, ldc);
  }
}

/// C = op(A) op(B) + what `from` has, where it is not null, blocks of rows at a time.
template <class T>
void multiply_factor(Trans ta, long m, long n, long depth, const T* a, long lda, const Factor<T>& b, const T* from,
                     T* c, long ldc) {
  const long block = std::max<long>(1, block_numbers / (depth * tile_rows)) * tile_rows;
  for (long i = 0; i < m; i += block) {
    const long rows = std::min(block, m - i);
    const T* const from_row = from ? from + i * ldc : nullptr;
    if (ta == Trans::no) {
      multiply_block<Trans::no, T>(rows, n, depth, a + i * lda, lda, b, from_row, c + i * ldc, ldc);
    } else {
      multiply_block<Trans::yes, T>(rows, n, depth, a + i, lda, b, from_row, c + i * ldc, ldc);
    }
  }
}

/// The inner dimension in pieces of about the same size.
long depth_of_panels(long k) {
  const long pieces = (k + most_depth - 1) / most_depth;
  return (k + pieces - 1) / pieces;
}

/// Whether rows of B, `depth` of a panel, are read where they are. A tile of AVX-512 does so much with a row that it
/// may come from the second cache (2048 places, eight deep, of which half is left to A). Else it has to be in the
/// first, of 64 places, and a copy costs more than it saves for few rows of A only. Rows some powers of two apart share
/// places.
template <class T>
bool reads_in_place(Trans tb, long m, long depth, long ldb) {
  constexpr long most_rows = 128, line = 64 / sizeof(T), places = many_registers ? 2048 : 64;
  constexpr long deep = many_registers ? 4 : 8;
  const long apart = std::gcd(std::max<long>(1, ldb / line), places);
  return tb == Trans::no && (many_registers || m <= most_rows) && depth <= places / apart * deep;
}

}  // namespace

template <class T>
bool panel_gemm_serves(Trans ta, long m, long n, long k, T beta) {
  constexpr bool wide = lane_width<T> * sizeof(T) >= 32;  // without AVX2, BLAS finds better instructions when it runs
  const bool near = ta == Trans::no || many_registers || (k <= 256 && n <= 96);
  const bool pays = (m >= 32 || n * k <= 4096) && near;
  return wide && pays && n % lane_width<T> == 0 && k > 0 && (beta == T(0) || beta == T(1));
}

template <class T>
void panel_gemm(Trans ta, Trans tb, long m, long n, long k, const T* a, long lda, const T* b, long ldb, T beta, T* c,
                long ldc) {
  static thread_local std::vector<T> panels;
  const T* const sum = beta == T(0) ? nullptr : c;
  const long most = depth_of_panels(k);
  const bool in_place = reads_in_place<T>(tb, m, most, ldb);
  if (!in_place) panels.resize(std::max<std::size_t>(panels.size(), most * n));
  for (long p = 0; p < k; p += most) {
    const long depth = std::min(most, k - p);
    const T* const from = tb == Trans::no ? b + p * ldb : b + p;
    if (!in_place) copy_panels<T>(tb, n, depth, from, ldb, panels.data());
    multiply_factor<T>(ta, m, n, depth, ta == Trans::no ? a + p : a + p * lda, lda,
                       in_place ? Factor<T>{from, 1, ldb} : in_panels<T>(panels.data(), depth), p > 0 ? c : sum, c,
                       ldc);
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
void packed_gemm(long m, long n, long k, const T* a, long lda, const T* panels, const T* from, T* c, long ldc) {
  const long most = depth_of_panels(k);
  for (long p = 0; p < k; p += most) {
    const long depth = std::min(most, k - p);
    multiply_factor<T>(Trans::no, m, n, depth, a + p, lda, in_panels<T>(panels + p * n, depth), p > 0 ? c : from, c,
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
template void packed_gemm(long, long, long, const float*, long, const float*, const float*, float*, long);
template void packed_gemm(long, long, long, const double*, long, const double*, const double*, double*, long);

}  // namespace isotrope
#endif
