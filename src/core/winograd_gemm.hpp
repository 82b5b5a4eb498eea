// SPDX-License-Identifier: MIT
#pragma once
#include "core/gemm.hpp"

/// Products of many rows with one large matrix in seven eighths of the multiplications: one step of Strassen's method
/// in Winograd's form. A, B and C are cut into quarters, rows of A into an upper and a lower half, and
///
///   S1 = A21 + A22   S2 = S1 - A11   S3 = A11 - A21   S4 = A12 - S2
///   T1 = B12 - B11   T2 = B22 - T1   T3 = B22 - B12   T4 = T2 - B21
///   M1 = A11 B11     U2 = M1 + S2 T2     U3 = U2 + S3 T3     M5 = S1 T1
///   C11 = M1 + A12 B21   C12 = U2 + M5 + S4 B22   C21 = U3 - A22 T4   C22 = U3 + M5
///
/// The sums of B are formed when it is packed, those of A block by block of rows, and of the sums of products only M1,
/// U2 and U3 pass through memory, tile by tile. Results differ from sums in order by rounding alone; the bound of their
/// errors, against the largest elements of A and B, is 4.5 times as large (Higham, Accuracy and Stability of Numerical
/// Algorithms, 23.2.2).
namespace isotrope {

/// Whether k x n is worth it and can be cut.
template <class T>
bool winograd_serves(long n, long k);

/// Numbers of the packed matrix.
constexpr long winograd_numbers(long n, long k) {
  return 7 * (n / 2) * (k / 2);
}

/// op(B), k x n, as winograd_gemm reads it.
template <class T>
void pack_winograd(Trans tb, long n, long k, const T* b, long ldb, T* packed);
/// C = A op(B), added to what `from` has, where it is not null, at the places of C; A is m x k, row-major.
template <class T>
void winograd_gemm(long m, long n, long k, const T* a, long lda, const T* packed, const T* from, T* c, long ldc);

}  // namespace isotrope
