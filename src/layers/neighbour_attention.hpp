// SPDX-License-Identifier: MIT
#pragma once
#include "layers/attention.hpp"
#include "layers/radial_basis.hpp"

/// Attention of a token to its neighbours (the local variant of TransIP). Edges e of token i lead to keys j(e); an edge
/// that is no pair of atoms (to the token itself, to a prefix token) has r = 0:
///
///   logit    s_e = c tanh((q_i . R(r_e) k_j) / c),  R: the rotary embedding of r_e (layers/rotary.hpp)
///   weight   p_e = u_e exp(s_e) / sum over the edges of i of u exp(s),  u_e: cutoff function of |r_e|, 1 for r_e = 0
///   o_i      = sum over its edges of p_e v_j
///
/// Weights fade at the cutoff; bounded logits keep that smooth whatever the weights of the network, and an exponential
/// needs no shift. Every token has an edge with u = 1, so that no sum is 0.
namespace isotrope {

/// Half a head is a whole number of lanes of pairs (layers/pair_lanes.hpp). Arrays of edges stand in the order of
/// `first`.
template <class A>
struct NeighbourEdges {
  using T = typename A::Real;
  using N = typename A::Num;
  long tokens = 0, edges = 0;
  const long* first = nullptr;                 ///< [tokens + 1]
  const int* key = nullptr;                    ///< [edges]
  double bound = 5;                            ///< c
  const T *cosine = nullptr, *sine = nullptr;  ///< [edge][row][size / 2]
  const N* envelope = nullptr;                 ///< [edges] u
  N* tanh = nullptr;                           ///< [edges][heads] s / c
  N* weight = nullptr;                         ///< [edges][heads] p
  N* inverse = nullptr;                        ///< [tokens][heads] one over the sum of u exp(s)
};

/// u of edges r [edge][3] (Å), with tangent dr where A has one.
template <class A>
void neighbour_envelope(const Envelope& end, long edges, const double* r, const double* dr, typename A::Num* envelope);
/// g_r [edge][3] += g_envelope times the slope of u.
void neighbour_envelope_backward(const Envelope& end, long edges, const double* r, const double* g_envelope,
                                 double* g_r);

/// Writes o [token][row][heads D], tanh, weight and inverse; q and kv as in attention.hpp, not yet turned.
template <class A>
void neighbour_attention(const HeadShape& shape, const NeighbourEdges<A>& e, const typename A::Real* q,
                         const typename A::Real* kv, typename A::Real* o);

/// Adjoints of the edges, added to; null for duals, which do not need them.
struct NeighbourAdjoint {
  double* envelope = nullptr;  ///< [edges]
  double* phase = nullptr;     ///< [edge][size / 2]
};
/// g_q is written, g_kv is added to.
template <class A>
void neighbour_attention_backward(const HeadShape& shape, const NeighbourEdges<A>& e, const typename A::Real* q,
                                  const typename A::Real* kv, const typename A::Real* g_o, const NeighbourAdjoint& g,
                                  typename A::Real* g_q, typename A::Real* g_kv);

}  // namespace isotrope
