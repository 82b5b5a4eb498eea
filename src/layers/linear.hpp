// SPDX-License-Identifier: MIT
#pragma once
#include "core/gemm.hpp"
#include "core/packed_matrix.hpp"
#include "layers/weights.hpp"

/// Linear layers over rows (atom, m, value|tangent) x channels: one GEMM, also for duals.
namespace isotrope {

/// y = x W + beta y; `n` counts (atom, m) pairs.
template <class A>
void linear_forward(const typename A::Real* weights, const Matrix& w, long n, const typename A::Real* x, long ldx,
                    typename A::Real beta, typename A::Real* y, long ldy) {
  gemm<typename A::Real>(Trans::no, Trans::no, n * A::rows, w.out, w.in, 1, x, ldx, weights + w.at, w.out, beta, y,
                         ldy);
}

/// gx = gy W^T + beta gx.
template <class A>
void linear_backward(const typename A::Real* weights, const Matrix& w, long n, const typename A::Real* gy, long ldy,
                     typename A::Real beta, typename A::Real* gx, long ldx) {
  gemm<typename A::Real>(Trans::no, Trans::yes, n * A::rows, w.in, w.out, 1, gy, ldy, weights + w.at, w.out, beta, gx,
                         ldx);
}

/// The matrix of a linear layer of edges for many short runs of rows, and its transpose for their adjoints.
template <class T>
void pack_forward(const T* weights, const Matrix& w, PackedMatrix<T>& packed) {
  packed.pack(Trans::no, w.out, w.in, weights + w.at, w.out, Method::in_quarters);
}
template <class T>
void pack_backward(const T* weights, const Matrix& w, PackedMatrix<T>& packed) {
  packed.pack(Trans::yes, w.in, w.out, weights + w.at, w.out, Method::in_quarters);
}

/// y = x op(W), as packed; `tangents`: those of duals alone.
template <class A>
void linear_packed(const PackedMatrix<typename A::Real>& w, long n, const typename A::Real* x, long ldx,
                   typename A::Real* y, long ldy, bool tangents = false) {
  if (A::dual && tangents) {
    w.multiply(n, x + ldx, 2 * ldx, 0, y + ldy, 2 * ldy);
  } else {
    w.multiply(n * A::rows, x, ldx, 0, y, ldy);
  }
}

/// Adds the gradient of W. For duals the tangent of dE/dW, which is dL/dW: swapped rows pair up, x^T(value) gy(tangent)
/// + x^T(tangent) gy(value). For plain numbers x^T gy, the gradient of what gy is the adjoint of; nothing where
/// `weight_gradient` is null.
template <class A>
void linear_weight_gradient(const Matrix& w, long n, const typename A::Real* x, long ldx, const typename A::Real* gy,
                            long ldy, typename A::Real* weight_gradient) {
  if constexpr (A::dual) {
    using T = typename A::Real;
    gemm<T>(Trans::yes, Trans::no, w.in, w.out, n, 1, x, 2 * ldx, gy + ldy, 2 * ldy, 1, weight_gradient + w.at, w.out);
    gemm<T>(Trans::yes, Trans::no, w.in, w.out, n, 1, x + ldx, 2 * ldx, gy, 2 * ldy, 1, weight_gradient + w.at, w.out);
  } else if (weight_gradient) {
    gemm<typename A::Real>(Trans::yes, Trans::no, w.in, w.out, n, 1, x, ldx, gy, ldy, 1, weight_gradient + w.at, w.out);
  }
}

}  // namespace isotrope
