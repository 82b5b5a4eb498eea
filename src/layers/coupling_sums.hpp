// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

/// Sums that adjoints of kernels over edges keep for the matrix G of an edge (layers/edge_product.hpp).
namespace isotrope::attention {

/// Columns [begin, end) of g_G of one edge: products of D x D components summed over channels. Where D is 4 the sums
/// stay in registers, if there are enough.
template <class A, int D, int begin, int end>
struct CouplingSums {
  using Arithmetic = A;
  using T = typename A::Real;
  Lane<T> sum[D * D];
  KOKKOS_FORCEINLINE_FUNCTION CouplingSums() {
#pragma GCC unroll 16
    for (int n = 0; n < D * D; ++n) sum[n] = Lane<T>(T(0));
  }
  /// x g_k to row i.
  KOKKOS_FORCEINLINE_FUNCTION void add(int i, const Lane<T>& x, const Lane<T>* g) {
#pragma GCC unroll 4
    for (int k = begin; k < end; ++k) sum[i * D + k] += x * g[k];
  }
  KOKKOS_FORCEINLINE_FUNCTION void add_one(int i, int k, const Lane<T>& x) {
    sum[i * D + k] += x;
  }
  template <class Team>
  KOKKOS_FORCEINLINE_FUNCTION void add_to(const Team& team, T* target) const {
    Lane<T> copy[D * D];  // for what is summed up lies in memory
#pragma GCC unroll 16
    for (int n = 0; n < D * D; ++n) copy[n] = sum[n];
    for (int i = 0; i < D; ++i) {
      for (int k = begin; k < end; ++k) {
        const T total = team.sum(copy[i * D + k]);
        team.once([&] { target[i * D + k] += total; });
      }
    }
  }
};

/// Where they are not wanted.
template <class A>
struct NoCouplingSums {
  using Vec = typename A::Vec;
  KOKKOS_FORCEINLINE_FUNCTION void add(int, const Vec&, const Vec*) const {}
  KOKKOS_FORCEINLINE_FUNCTION void add_one(int, int, const Vec&) const {}
  template <class Team>
  KOKKOS_FORCEINLINE_FUNCTION void add_to(const Team&, typename A::Real*) const {}
};

/// one_edge of an adjoint's kernel for every edge of receiver t, with its sums where they are wanted.
template <class Sums, class Kernel, class Team>
KOKKOS_FORCEINLINE_FUNCTION void for_receiver(const Kernel& kernel, const Team& team, int t) {
  using A = typename Sums::Arithmetic;
  const auto& e = kernel.e;
  for (long k = e.first[t] - e.edge_begin; k < e.first[t + 1] - e.edge_begin; ++k) {
    if constexpr (!A::dual) {
      if (kernel.adjoint.couplings) {
        kernel.template one_edge<Sums>(team, t, k);
        continue;
      }
    }
    kernel.template one_edge<NoCouplingSums<A>>(team, t, k);
  }
}

}  // namespace isotrope::attention
