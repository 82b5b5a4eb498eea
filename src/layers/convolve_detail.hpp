// SPDX-License-Identifier: MIT
#pragma once
#include "layers/convolution.hpp"
#include "layers/edge_radial.hpp"

/// What the convolution and its adjoint share.
namespace isotrope::convolving {

/// Calls f with 2 l1 + 1, 2 l3 + 1 and whether l2 = 0 as compile-time constants: then the coupling matrix is diagonal,
/// and has no adjoint, for Y_00 is a constant.
template <int D>
using Size = std::integral_constant<int, D>;
template <class F, class D1>
KOKKOS_INLINE_FUNCTION void with_l3(int l3, const F& f, D1 d1) {
  switch (l3) {
    case 0:
      return f(d1, Size<1>{}, std::false_type{});
    case 1:
      return f(d1, Size<3>{}, std::false_type{});
    case 2:
      return f(d1, Size<5>{}, std::false_type{});
    default:
      return f(d1, Size<7>{}, std::false_type{});
  }
}
template <class F>
KOKKOS_INLINE_FUNCTION void with_sizes(const ConvolutionPath& path, const F& f) {
  constexpr int diagonal = Convolution::l_limit + 1;
  switch (path.l2 == 0 ? diagonal + path.l1 : path.l1) {
    case diagonal:
      return f(Size<1>{}, Size<1>{}, std::true_type{});
    case diagonal + 1:
      return f(Size<3>{}, Size<3>{}, std::true_type{});
    case diagonal + 2:
      return f(Size<5>{}, Size<5>{}, std::true_type{});
    case diagonal + 3:
      return f(Size<7>{}, Size<7>{}, std::true_type{});
    case 0:
      return with_l3(path.l3, f, Size<1>{});
    case 1:
      return with_l3(path.l3, f, Size<3>{});
    case 2:
      return with_l3(path.l3, f, Size<5>{});
    default:
      return with_l3(path.l3, f, Size<7>{});
  }
}

/// The rows of an atom, which a later edge reads.
template <class A>
KOKKOS_FORCEINLINE_FUNCTION void fetch_rows_ahead(const Features<A>& x, int atom) {
  for (int b = 0; b < x.layout.count; ++b) {
    const typename A::Real* row = x.at(b, atom, 0);
    const int numbers = (2 * x.layout.block[b].l + 1) * x.layout.block[b].pad * A::rows;
    for (int k = 0; k < numbers; k += cache_line<typename A::Real>) fetch_ahead(row + k);
  }
}

/// Calls f with the source of the radial weights.
template <class A, class F>
void with_radial(const Convolution& c, const EdgeBatch<A>& batch, const F& f) {
  if constexpr (!A::dual) {
    if (batch.table.rows) {
      f(TabulatedRadial<typename A::Real>{batch.table, batch.r, batch.g_length, batch.edge_begin});
      return;
    }
  }
  f(StoredRadial<A>{batch.weights, c.weights, batch.edge_begin});
}

}  // namespace isotrope::convolving
