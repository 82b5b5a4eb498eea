// SPDX-License-Identifier: MIT
#include "core/gemm.hpp"

#include <cblas.h>

#include "core/loops.hpp"
#include "core/panel_gemm.hpp"

namespace isotrope {
namespace {

#ifdef ISOTROPE_DEVICE_BUILD
template <class T>
struct PlainGemm {
  bool ta, tb;
  long n, k;
  T alpha;
  const T* a;
  long lda;
  const T* b;
  long ldb;
  T beta;
  T* c;
  long ldc;
  KOKKOS_FUNCTION void operator()(long index) const {
    const long i = index / n, j = index % n;
    T sum = 0;
    for (long p = 0; p < k; ++p) sum += (ta ? a[p * lda + i] : a[i * lda + p]) * (tb ? b[j * ldb + p] : b[p * ldb + j]);
    T& out = c[i * ldc + j];
    out = beta == T(0) ? alpha * sum : alpha * sum + beta * out;
  }
};
#else
CBLAS_TRANSPOSE blas(Trans t) {
  return t == Trans::yes ? CblasTrans : CblasNoTrans;
}
void host_gemm(Trans ta, Trans tb, long m, long n, long k, float alpha, const float* a, long lda, const float* b,
               long ldb, float beta, float* c, long ldc) {
  cblas_sgemm(CblasRowMajor, blas(ta), blas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void host_gemm(Trans ta, Trans tb, long m, long n, long k, double alpha, const double* a, long lda, const double* b,
               long ldb, double beta, double* c, long ldc) {
  cblas_dgemm(CblasRowMajor, blas(ta), blas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

}  // namespace

template <class T>
void gemm(Trans ta, Trans tb, long m, long n, long k, T alpha, const T* a, long lda, const T* b, long ldb, T beta, T* c,
          long ldc) {
  if (m == 0 || n == 0) return;
#ifdef ISOTROPE_DEVICE_BUILD
  for_each("isotrope::gemm", m * n,
           PlainGemm<T>{ta == Trans::yes, tb == Trans::yes, n, k, alpha, a, lda, b, ldb, beta, c, ldc});
#else
  if (alpha == T(1) && panel_gemm_serves<T>(ta, m, n, k, beta)) {
    panel_gemm<T>(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
  } else {
    host_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
#endif
}

template void gemm(Trans, Trans, long, long, long, float, const float*, long, const float*, long, float, float*, long);
template void gemm(Trans, Trans, long, long, long, double, const double*, long, const double*, long, double, double*,
                   long);

void use_one_blas_thread() {
  openblas_set_num_threads(1);
}

}  // namespace isotrope
