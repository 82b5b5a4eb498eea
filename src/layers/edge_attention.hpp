// SPDX-License-Identifier: MIT
#pragma once
#include "layers/layout.hpp"

/// Attention over the neighbours of an atom with equivariant values, as in TDN (and, with other products, in
/// Equiformer). An edge s -> t with matrix G (edge_product.hpp), radial weights w[channel] and envelope f (1 where
/// there is none):
///
///   message   m = w G^T (source[s] + target[t])
///   linear    (q, v0, g) = m_0 W3 + b3,  v_i = m_i W1 for the components i of l >= 1          (GEMMs of the model)
///   logit     z_h = sum over the channels of head h of a * leaky(q),  leaky(x) = 0.2 x + 0.8 silu(x);
///             with a bound z = bound tanh(z / bound)
///   weight    p_h = f exp(z_h) / (self_h + sum over the edges of t of f exp(z_h)),  self_h = exp(z of the receiver
///             itself), or 0
///   out[t]    sum over edges of p_h w G^T u,  u_0 = silu(v0),  u_i = sigmoid(g) v_i
///
/// Where scalars alone are wanted of `out`, they need of the values of l >= 1 only sum_i G_i0 u_i, and the gate is one
/// for all i: messages then have two components, m_0 and sum_i G_i0 m_i, and so have the linear layers less to do.
///
/// With self_h > 0 and an envelope, weights vanish smoothly with the distance, also that of the last neighbour. Only
/// scalars of the message go into logits and gates. Kernels take the edges of a range of receivers; nothing else of
/// size edges x channels exists than the arrays of that range.
namespace isotrope {

struct AttentionShape {
  int channels = 0, pad = 0, heads = 1;
  int d = 1;                       ///< components of features, (l_max + 1)^2: 4, 9 or 16
  int out_begin = 0, out_end = 1;  ///< components of `out` that are wanted
  double bound = 0;                ///< of the logits; 0: none
  bool self = false;               ///< whether the receiver itself takes a share

  bool contracted() const { return out_end == 1; }
  int message_components() const { return contracted() ? 2 : d; }
};

/// Edges [edge_begin, edge_begin + edges) of the receivers [row_begin, row_end) and what is kept of them. Arrays of the
/// range start at its first edge; `couplings` and `envelope` are those of the graph.
template <class A>
struct AttentionEdges {
  using T = typename A::Real;
  using N = typename A::Num;
  int row_begin = 0, row_end = 0;
  long edge_begin = 0, edges = 0;
  const long* first = nullptr;
  const int *sender = nullptr, *receiver = nullptr;
  const N* couplings = nullptr;     ///< [edge of the graph][d][d]
  const N* envelope = nullptr;      ///< [edge of the graph], or null
  T* radial = nullptr;              ///< [radial row][row][pad]
  const int* radial_row = nullptr;  ///< [edge of the graph]; null: those of the range, one after the other
  int radial_stride = 1;            ///< 2 where slopes lie between the rows
  T* message = nullptr;  ///< blocks l = 0 ... of [edge][m][row][pad]; contracted: two blocks of [edge][row][pad]
  T* scalars = nullptr;  ///< [edge][row][3 pad]: q, v0, g without bias
  T* vectors = nullptr;  ///< the blocks after the first, likewise
  N* logit = nullptr;    ///< [edge][heads] before the bound
  N* weight = nullptr;   ///< [edge][heads]

  /// The edge of the range after k, if there is one.
  KOKKOS_INLINE_FUNCTION long next(long k) const { return k + 1 < edges ? k + 1 : k; }
  /// Radial weights of edge k of the range.
  KOKKOS_INLINE_FUNCTION T* radial_of(long k, int pad) const {
    return radial + (radial_row ? radial_row[edge_begin + k] : k) * static_cast<long>(radial_stride * pad * A::rows);
  }
};

/// Where the weights of kernels lie, already offset.
template <class T>
struct AttentionWeights {
  const T* bias = nullptr;        ///< [3 pad]
  const T* score = nullptr;       ///< a [pad]
  const T* self_logit = nullptr;  ///< [heads], where the receiver takes a share
};
template <class T>
struct AttentionGradients {
  T *bias = nullptr, *score = nullptr, *self_logit = nullptr;
};

template <class A>
void edge_messages(const AttentionShape& shape, const AttentionEdges<A>& e, const Features<A>& source,
                   const Features<A>& target);
template <class A>
void attention_weights(const AttentionShape& shape, const AttentionEdges<A>& e,
                       const AttentionWeights<typename A::Real>& weights);
/// out[t] for the components wanted, written; the blocks of `out` start with that of the first component.
template <class A>
void attend(const AttentionShape& shape, const AttentionEdges<A>& e, const AttentionWeights<typename A::Real>& weights,
            const Features<A>& out);

/// Adjoints that kernels leave; of the edges those of the range, of the graph where it says so.
template <class A>
struct AttentionAdjoint {
  using T = typename A::Real;
  T *scalars = nullptr, *vectors = nullptr;  ///< as in AttentionEdges, written by attend_backward
  T* radial = nullptr;  ///< [edge][row][pad]: written by attend_backward, added to by edge_messages_backward
  typename A::Num* weight = nullptr;  ///< [edge][heads], scratch
  T* couplings = nullptr;             ///< [edge of the graph][d][d], added; plain numbers only, none where null
  double* envelope = nullptr;         ///< [edge of the graph], added; plain numbers only, none where null
};

template <class A>
void attend_backward(const AttentionShape& shape, const AttentionEdges<A>& e,
                     const AttentionWeights<typename A::Real>& weights, const Features<A>& g_out,
                     const AttentionAdjoint<A>& adjoint, const AttentionGradients<typename A::Real>& gradients);
/// From the adjoint of the messages, which lies in e.message: adds to g_source (of senders) and g_target.
template <class A>
void edge_messages_backward(const AttentionShape& shape, const AttentionEdges<A>& e, const Features<A>& source,
                            const Features<A>& target, const AttentionAdjoint<A>& adjoint, const Features<A>& g_source,
                            const Features<A>& g_target);

}  // namespace isotrope
