// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/gemm.hpp"

namespace isotrope {

/// In quarters (core/winograd_gemm.hpp), where sizes allow it, products are faster by a tenth, and a row's error is as
/// large as another row's numbers: for rows that are alike.
enum class Method : bool { in_order, in_quarters };

/// A matrix in the order in which products read it. Who multiplies one matrix with many short runs of rows, so that
/// what else happens to these rows finds them in the cache, packs it once.
template <class T>
class PackedMatrix {
 public:
  /// op(B), k x n, row-major. Where packing does not pay B itself is read by `multiply`: it has to stay.
  void pack(Trans tb, long n, long k, const T* b, long ldb, Method method = Method::in_order);
  /// C = A op(B) + beta C with A of m x k, row-major; beta is 0 or 1.
  void multiply(long m, const T* a, long lda, T beta, T* c, long ldc) const;
  /// C = A op(B) + D, rows of D as far apart as those of C.
  void multiply_add(long m, const T* a, long lda, const T* d, T* c, long ldc) const;

 private:
  void multiply_packed(long m, const T* a, long lda, const T* from, T* c, long ldc) const;

  Trans trans_ = Trans::no;
  long n_ = 0, k_ = 0, ldb_ = 0;
  const T* b_ = nullptr;
  bool packed_ = false, in_quarters_ = false;
  std::vector<T> panels_;
};

}  // namespace isotrope
