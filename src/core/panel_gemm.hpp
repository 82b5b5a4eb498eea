// SPDX-License-Identifier: MIT
#pragma once
#include "core/gemm.hpp"

/// Products of many rows with a small matrix, what linear layers of features are. Libraries copy both factors into
/// their order, clear the result and then add to it, which for inner dimensions of 64 to 256 takes a fifth of their
/// time; here only the small matrix is copied, once a call, and not even that for few rows.
namespace isotrope {

/// Whether panel_gemm is faster than BLAS and can do it: wide enough lanes, enough rows to pay for the copy of B (or
/// little to copy), whole lanes of columns, and a transposed A that is read few times and stays in the cache.
template <class T>
bool panel_gemm_serves(Trans ta, long m, long n, long k, T beta);

/// C = op(A) op(B) + beta C, row-major; beta is 0 or 1.
template <class T>
void panel_gemm(Trans ta, Trans tb, long m, long n, long k, const T* a, long lda, const T* b, long ldb, T beta, T* c,
                long ldc);

/// The same in two steps, for products of many short runs of rows with one matrix (core/packed_matrix.hpp): op(B) in
/// panels, k n numbers, and C = A op(B), added to what `from` has, where it is not null, at the places of C.
template <class T>
void pack_panels(Trans tb, long n, long k, const T* b, long ldb, T* panels);
template <class T>
void packed_gemm(long m, long n, long k, const T* a, long lda, const T* panels, const T* from, T* c, long ldc);

}  // namespace isotrope
