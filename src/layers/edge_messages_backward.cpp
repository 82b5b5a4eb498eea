// SPDX-License-Identifier: MIT
// Adjoint of the messages of edge_attention.cpp.
#include "core/lane_hold.hpp"
#include "layers/coupling_sums.hpp"
#include "layers/edge_attention.hpp"
#include "layers/edge_attention_detail.hpp"

namespace isotrope {
namespace {

using namespace attention;

template <class A, int D, int M>
struct EdgeMessagesBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  int pad;
  AttentionEdges<A> e;
  Features<A> source, target;
  AttentionAdjoint<A> adjoint;
  Features<A> g_source, g_target;

  /// Where the rows of an edge begin: found once for all its channels.
  struct Rows {
    const T *radial, *source[D], *target[D], *g_message[M];
    T *g_radial, *g_source[D], *g_target[D];
    const typename A::Num* matrix;
  };

  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    for_receiver<CouplingSums<A, D, 0, D>>(*this, team, e.row_begin + item);
  }
  template <class Sums, class Team>
  KOKKOS_FORCEINLINE_FUNCTION void one_edge(const Team& team, int t, long k) const {
    const Rows rows = rows_of(t, k);
    Sums couplings;
    for (int b = team.first_block(); b < pad / lane_width<T>; b += team.block_step()) {
      fetch_next(k, b * lane_width<T>);
      one_lane(rows, pad, b * lane_width<T>, couplings);
    }
    couplings.add_to(team, adjoint.couplings + (e.edge_begin + k) * D * D);
  }

  KOKKOS_INLINE_FUNCTION Rows rows_of(int t, long k) const {
    const long edge = e.edge_begin + k, row = static_cast<long>(pad) * A::rows;
    const int s = e.sender[edge];
    Rows r;
    r.radial = e.radial_of(k, pad);
    r.g_radial = adjoint.radial + k * row;
    for (int i = 0; i < D; ++i) {
      r.source[i] = component(source, s, i, pad);
      r.target[i] = component(target, t, i, pad);
      r.g_source[i] = component(g_source, s, i, pad);
      r.g_target[i] = component(g_target, t, i, pad);
    }
    for (int o = 0; o < M; ++o) r.g_message[o] = e.message + message_row<D, M>(e.edges, k, o) * row;
    r.matrix = e.couplings + edge * D * D;
    return r;
  }

  KOKKOS_FORCEINLINE_FUNCTION void fetch_next(long k, int c) const {
    if (!line_begins<T>(c)) return;
    const int next = e.sender[e.edge_begin + e.next(k)];
    for (int i = 0; i < D; ++i) {
      fetch_ahead(component(source, next, i, pad) + c);
      fetch_ahead(component(g_source, next, i, pad) + c);
    }
    fetch_ahead(e.radial_of(e.next(k), pad) + c);
  }

  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static void one_lane(const Rows& rows, int pad, int c, Sums& couplings) {
    const typename A::Num* matrix = rows.matrix;
    const Vec w = hold(Vec(A::load(rows.radial + c, pad)));
    Vec x[D], g[D], along = A::zero();
#pragma GCC unroll 4
    for (int i = 0; i < D; ++i) x[i] = A::load(rows.source[i] + c, pad) + A::load(rows.target[i] + c, pad);
#pragma GCC unroll 4
    for (int o = 0; o < M; ++o) g[o] = hold(Vec(A::load(rows.g_message[o] + c, pad)));
    if constexpr (M != D) expand(matrix, w, x, g, couplings);
#pragma GCC unroll 4
    for (int i = 0; i < D; ++i) {
      Vec q = matrix[i * D] * g[0];
#pragma GCC unroll 4
      for (int o = 1; o < D; ++o) q += matrix[i * D + o] * g[o];
      along += x[i] * q;
      const Vec g_x = w * q;
      scatter<A>(rows.g_source[i] + c, pad, g_x);
      add_to<A>(rows.g_target[i] + c, pad, g_x);
      couplings.add(i, w * x[i], g);
    }
    add_to<A>(rows.g_radial + c, pad, along);
  }

  /// From the adjoint of the contracted component to those of all, by which it also depends on the matrix.
  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static void expand(const typename A::Num* matrix, const Vec& w, const Vec* x, Vec* g,
                                                 Sums& couplings) {
    const Vec contracted = g[1];
#pragma GCC unroll 4
    for (int o = 1; o < D; ++o) g[o] = matrix[o * D] * contracted;
    Vec y[D];
    apply_transposed<D>(matrix, x, y);
#pragma GCC unroll 4
    for (int o = 1; o < D; ++o) couplings.add_one(o, 0, w * y[o] * contracted);
  }
};

}  // namespace

template <class A>
void edge_messages_backward(const AttentionShape& shape, const AttentionEdges<A>& e, const Features<A>& source,
                            const Features<A>& target, const AttentionAdjoint<A>& adjoint, const Features<A>& g_source,
                            const Features<A>& g_target) {
  with_components(shape, [&](auto d, auto m, auto...) {
    for_teams("isotrope::edge_messages_backward", e.row_end - e.row_begin,
              EdgeMessagesBackward<A, d(), m()>{shape.pad, e, source, target, adjoint, g_source, g_target});
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                                \
  template void edge_messages_backward<A>(const AttentionShape&, const AttentionEdges<A>&, const Features<A>&, \
                                          const Features<A>&, const AttentionAdjoint<A>&, const Features<A>&,  \
                                          const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
