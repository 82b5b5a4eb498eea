// SPDX-License-Identifier: MIT
#include "core/packed_matrix.hpp"

#include "core/kokkos_ext.hpp"
#include "core/panel_gemm.hpp"

namespace isotrope {

template <class T>
void PackedMatrix<T>::pack(Trans tb, long n, long k, const T* b, long ldb) {
  trans_ = tb;
  n_ = n;
  k_ = k;
  b_ = b;
  ldb_ = ldb;
#ifndef ISOTROPE_DEVICE_BUILD
  constexpr long many_rows = 1 << 10;
  packed_ = panel_gemm_serves<T>(Trans::no, many_rows, n, k, T(0));
  if (!packed_) return;
  panels_.resize(static_cast<std::size_t>(n * k));
  pack_panels<T>(tb, n, k, b, ldb, panels_.data());
#endif
}

template <class T>
void PackedMatrix<T>::multiply(long m, const T* a, long lda, T beta, T* c, long ldc) const {
#ifndef ISOTROPE_DEVICE_BUILD
  if (packed_) return packed_gemm<T>(m, n_, k_, a, lda, panels_.data(), beta, c, ldc);
#endif
  gemm<T>(Trans::no, trans_, m, n_, k_, T(1), a, lda, b_, ldb_, beta, c, ldc);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace isotrope
