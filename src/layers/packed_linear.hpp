// SPDX-License-Identifier: MIT
#pragma once
#include <span>

#include "core/packed_matrix.hpp"
#include "layers/weights.hpp"

namespace isotrope {

/// A linear layer whose matrix is packed once a set of weights, for both ways.
template <class T>
struct PackedLinear {
  Matrix w;
  PackedMatrix<T> forward, backward;
  Buffer<T> product{"isotrope::packed_linear::product"};  ///< of a chain

  void pack(const T* weights, const Matrix& matrix) {
    w = matrix;
    forward.pack(Trans::no, w.out, w.in, weights + w.at, w.out);
    backward.pack(Trans::yes, w.in, w.out, weights + w.at, w.out);
  }
  /// Layers that follow each other as one. It has no gradient of its own.
  void pack_chain(const T* weights, std::span<const Matrix> chain) {
    if (chain.size() == 1) return pack(weights, chain[0]);
    Buffer<T> before;
    const T* left = weights + chain[0].at;
    for (std::size_t k = 1; k < chain.size(); ++k) {
      const long rows = chain[0].in, inner = chain[k].in, columns = chain[k].out;
      std::swap(before, product);
      T* to = product.reserve(rows * columns);
      gemm<T>(Trans::no, Trans::no, rows, columns, inner, 1, left, inner, weights + chain[k].at, columns, 0, to,
              columns);
      left = to;
    }
    pack(left, {0, chain[0].in, chain.back().out});
  }
};

/// y = x op(W) + what `add` has, where it is not null, at the places of y, for rows [n][row]; `tangents`: of duals the
/// tangents alone.
template <class A>
void multiply_packed(const PackedMatrix<typename A::Real>& w, bool tangents, long n, const typename A::Real* x,
                     long ldx, const typename A::Real* add, typename A::Real* y, long ldy) {
  const bool both = A::dual && !tangents;
  const long rows = both ? n * A::rows : n, stride = both ? 1 : A::rows, first = tangents ? 1 : 0;
  x += first * ldx;
  y += first * ldy;
  if (add) {
    w.multiply_add(rows, x, ldx * stride, add + first * ldy, y, ldy * stride);
  } else {
    w.multiply(rows, x, ldx * stride, 0, y, ldy * stride);
  }
}

}  // namespace isotrope
