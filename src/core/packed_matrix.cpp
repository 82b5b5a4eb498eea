// SPDX-License-Identifier: MIT
#include "core/packed_matrix.hpp"

#include "core/loops.hpp"
#include "core/panel_gemm.hpp"
#include "core/winograd_gemm.hpp"

namespace isotrope {
namespace {

template <class T>
struct CopyRows {
  long width, stride;
  const T* from;
  T* to;
  KOKKOS_FUNCTION void operator()(long index) const {
    const long at = index / width * stride + index % width;
    to[at] = from[at];
  }
};

}  // namespace

template <class T>
void PackedMatrix<T>::pack(Trans tb, long n, long k, const T* b, long ldb, [[maybe_unused]] Method method) {
  trans_ = tb;
  n_ = n;
  k_ = k;
  b_ = b;
  ldb_ = ldb;
#ifndef ISOTROPE_DEVICE_BUILD
  constexpr long many_rows = 1 << 10;
  packed_ = panel_gemm_serves<T>(Trans::no, many_rows, n, k, T(0));
  if (!packed_) return;
  in_quarters_ = method == Method::in_quarters && winograd_serves<T>(n, k);
  panels_.resize(static_cast<std::size_t>(in_quarters_ ? winograd_numbers(n, k) : n * k));
  if (in_quarters_) return pack_winograd<T>(tb, n, k, b, ldb, panels_.data());
  pack_panels<T>(tb, n, k, b, ldb, panels_.data());
#endif
}

#ifndef ISOTROPE_DEVICE_BUILD
template <class T>
void PackedMatrix<T>::multiply_packed(long m, const T* a, long lda, const T* from, T* c, long ldc) const {
  if (in_quarters_) return winograd_gemm<T>(m, n_, k_, a, lda, panels_.data(), from, c, ldc);
  packed_gemm<T>(m, n_, k_, a, lda, panels_.data(), from, c, ldc);
}
#endif

template <class T>
void PackedMatrix<T>::multiply(long m, const T* a, long lda, T beta, T* c, long ldc) const {
#ifndef ISOTROPE_DEVICE_BUILD
  if (packed_) return multiply_packed(m, a, lda, beta == T(0) ? nullptr : c, c, ldc);
#endif
  gemm<T>(Trans::no, trans_, m, n_, k_, T(1), a, lda, b_, ldb_, beta, c, ldc);
}

template <class T>
void PackedMatrix<T>::multiply_add(long m, const T* a, long lda, const T* d, T* c, long ldc) const {
#ifndef ISOTROPE_DEVICE_BUILD
  if (packed_) return multiply_packed(m, a, lda, d, c, ldc);
#endif
  if (d != c) for_each("isotrope::packed_matrix_copy", m * n_, CopyRows<T>{n_, ldc, d, c});
  multiply(m, a, lda, T(1), c, ldc);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace isotrope
