// SPDX-License-Identifier: MIT
#pragma once
#include "layers/edge_attention.hpp"

/// What an atom's features start with besides its element: its neighbours' directions, out[t] = sum over edges of
/// f w G^T q with features q that are the same scalars for all atoms, and count[t] = sum of f. Edges as in
/// edge_attention.hpp.
namespace isotrope {

template <class A>
void degree_embedding(const AttentionShape& shape, const AttentionEdges<A>& e, const typename A::Real* q,
                      const Features<A>& out, typename A::Num* count);

/// Adjoints: radial (written); couplings and envelope (added, plain numbers only); `g_q` (added, none where null).
template <class A>
void degree_embedding_backward(const AttentionShape& shape, const AttentionEdges<A>& e, const typename A::Real* q,
                               const Features<A>& g_out, const typename A::Num* g_count,
                               const AttentionAdjoint<A>& adjoint, typename A::Real* g_q);

/// y[t] += count[t] bias[channel] for scalars, and its adjoints: g_count (written), gradient of the bias (added, none
/// where null).
template <class A>
void add_counted_bias(const Features<A>& y, long rows, const typename A::Num* count, const typename A::Real* bias);
template <class A>
void add_counted_bias_backward(const Features<A>& g_y, long rows, const typename A::Num* count,
                               const typename A::Real* bias, typename A::Num* g_count, typename A::Real* bias_gradient);

}  // namespace isotrope
