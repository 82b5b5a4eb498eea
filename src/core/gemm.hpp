// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope {

enum class Trans : bool { no, yes };

/// C = alpha op(A) op(B) + beta C, row-major; op(A) is m x k, op(B) k x n. BLAS on the host, a plain kernel on a
/// device.
template <class T>
void gemm(Trans ta, Trans tb, long m, long n, long k, T alpha, const T* a, long lda, const T* b, long ldb, T beta, T* c,
          long ldc);

/// Ranks are the parallelism: BLAS threads are switched off once, at start.
void use_one_blas_thread();

}  // namespace isotrope
