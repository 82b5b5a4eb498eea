// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

/// Small dense matrices of plain numbers times lanes: what the tensor products spend their time in.
namespace isotrope {

namespace small_matrix_detail {
/// R rows at a time, so that a loaded vector is used R times and the accumulators stay in registers.
template <class A, int S, int R>
KOKKOS_INLINE_FUNCTION void multiply_rows(int columns, const typename A::Real* c, int row_step, int column_step,
                                          const typename A::Vec* v, typename A::Vec* out) {
  using Vec = typename A::Vec;
  Vec sum[R][S];
  for (int r = 0; r < R; ++r) {
    for (int s = 0; s < S; ++s) sum[r][s] = A::zero();
  }
  for (int k = 0; k < columns; ++k) {
    Vec b[S];
    for (int s = 0; s < S; ++s) b[s] = v[k * S + s];
    for (int r = 0; r < R; ++r) {
      const typename A::Real factor = c[r * row_step + k * column_step];
      for (int s = 0; s < S; ++s) sum[r][s] += factor * b[s];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int s = 0; s < S; ++s) out[r * S + s] = sum[r][s];
  }
}
}  // namespace small_matrix_detail

/// out[r][s] = sum_k c[r row_step + k column_step] v[k][s] for r < rows, k < columns, s < S. The matrix or its
/// transpose, by the steps. Not inlined, here and in the larger steps: a call is cheap beside the work, copies are slow
/// to compile.
template <class A, int S>
[[gnu::noinline]] KOKKOS_FUNCTION void multiply(int rows, int columns, const typename A::Real* c, int row_step,
                                                int column_step, const typename A::Vec* v, typename A::Vec* out) {
  using small_matrix_detail::multiply_rows;
  int r = 0;
  if constexpr (!A::dual) {  // a dual fills twice the registers
    constexpr int most = 8 / S;
    for (; r + most <= rows; r += most)
      multiply_rows<A, S, most>(columns, c + r * row_step, row_step, column_step, v, out + r * S);
  }
  for (; r + 2 <= rows; r += 2)
    multiply_rows<A, S, 2>(columns, c + r * row_step, row_step, column_step, v, out + r * S);
  if (r < rows) multiply_rows<A, S, 1>(columns, c + r * row_step, row_step, column_step, v, out + r * S);
}

}  // namespace isotrope
