// SPDX-License-Identifier: MIT
// Adjoints of edge_attention.cpp. With q_i = sum_k G_ik g_out_k (components wanted) and s = sum_i u_i q_i, per channel:
// out adds p w s to the energy's derivative, so g_w += p s, g_p = sum over the head's channels of w s, g_u = p w q, and
// g_G_ik = sum over channels of (p w u_i) g_out_k.
#include "layers/edge_attention.hpp"
#include "layers/edge_attention_detail.hpp"

namespace isotrope {
namespace {

using namespace attention;

/// g_G of one edge: products of D x D components summed over channels.
template <class T, int D>
struct CouplingSums {
  Lane<T> sum[D * D];
  KOKKOS_INLINE_FUNCTION CouplingSums() {
    for (int n = 0; n < D * D; ++n) sum[n] = Lane<T>(T(0));
  }
  /// x g_k to row i.
  KOKKOS_INLINE_FUNCTION void add(int i, int k_begin, int k_end, const Lane<T>& x, const Lane<T>* g) {
    for (int k = k_begin; k < k_end; ++k) sum[i * D + k] += x * g[k];
  }
  template <class Team>
  KOKKOS_INLINE_FUNCTION void add_to(const Team& team, T* target, int k_begin, int k_end) {
    for (int i = 0; i < D; ++i) {
      for (int k = k_begin; k < k_end; ++k) {
        const T total = team.sum(sum[i * D + k]);
        team.once([&] { target[i * D + k] += total; });
      }
    }
  }
};

/// Where they are not wanted.
struct NoCouplingSums {
  template <class Vec>
  KOKKOS_INLINE_FUNCTION void add(int, int, int, const Vec&, const Vec*) const {}
};

/// Calls f with sums for the columns [k_begin, k_end) of an edge's g_G, which are then added to those of all edges.
template <class A, int D, class Team, class F>
KOKKOS_FORCEINLINE_FUNCTION void with_coupling_sums(const Team& team, [[maybe_unused]] typename A::Real* of_edges,
                                                    [[maybe_unused]] long edge, [[maybe_unused]] int k_begin,
                                                    [[maybe_unused]] int k_end, const F& f) {
  if constexpr (!A::dual) {
    if (of_edges) {
      CouplingSums<typename A::Real, D> couplings;
      f(couplings);
      return couplings.add_to(team, of_edges + edge * D * D, k_begin, k_end);
    }
  }
  f(NoCouplingSums{});
}

/// Adjoints of values, gates and radial weights, and sums over channels for those of attention weights and couplings.
template <class A, int D, int M, int begin, int end>
struct AttendBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  Features<A> g_out;
  AttentionAdjoint<A> adjoint;

  /// Where the rows of an edge begin: found once for all its channels.
  struct Rows {
    const T *radial, *next_radial, *scalars, *vectors[M], *g_out[D];
    T *g_radial, *g_scalars, *g_vectors[M];
    const typename A::Num* matrix;
  };

  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    const int t = e.row_begin + item;
    for (long k = e.first[t] - e.edge_begin; k < e.first[t + 1] - e.edge_begin; ++k) {
      const Rows rows = rows_of(t, k);
      with_coupling_sums<A, D>(team, adjoint.couplings, e.edge_begin + k, begin, end,
                               [&](auto&& couplings) { one_edge(team, rows, k, couplings); });
    }
  }

  KOKKOS_INLINE_FUNCTION Rows rows_of(int t, long k) const {
    const long row = static_cast<long>(shape.pad) * A::rows;
    Rows r;
    r.radial = e.radial_of(k, shape.pad);
    r.next_radial = e.radial_of(e.next(k), shape.pad);
    r.g_radial = adjoint.radial + k * row;
    r.scalars = e.scalars + k * 3 * row;
    r.g_scalars = adjoint.scalars + k * 3 * row;
    for (int i = 1; i < M; ++i) {
      const long at = (message_row<D, M>(e.edges, k, i) - e.edges) * row;
      r.vectors[i] = e.vectors + at;
      r.g_vectors[i] = adjoint.vectors + at;
    }
    for (int o = begin; o < end; ++o) {
      r.g_out[o] = g_out.data + component_row(g_out.atoms, t, o, degree_of(begin)) * row;
    }
    r.matrix = e.couplings + (e.edge_begin + k) * D * D;
    return r;
  }

  template <class Team, class Sums>
  KOKKOS_INLINE_FUNCTION void one_edge(const Team& team, const Rows& rows, long k, Sums&& couplings) const {
    const int pad = shape.pad;
    const T* bias = weights.bias;
    const typename A::Num* weight = e.weight + k * shape.heads;
    sum_heads<A>(
        team, shape,
        [&](int c, int head) { return one_lane(rows, bias, pad, c, head_lane<A>(shape, weight, c, head), couplings); },
        [&](int h, const typename A::Num& sum) { adjoint.weight[k * shape.heads + h] = sum; });
  }

  /// Returns w s, of which the sum over a head's channels is the adjoint of its weight p.
  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static Vec one_lane(const Rows& rows, const T* bias, int pad, int c, const Vec& p,
                                                  Sums& couplings) {
    const T* row = rows.scalars + c;
    T* g_row = rows.g_scalars + c;
    if (line_begins<T>(c)) {
      fetch_ahead(rows.next_radial + c);
      fetch_ahead(row + 4 * pad * A::rows);
      fetch_ahead(row + 5 * pad * A::rows);
      for (int i = 1; i < M; ++i)
        fetch_ahead(rows.vectors[i] + (M == D ? 2 * degree_of(i) + 1 : 1) * pad * A::rows + c);
    }
    const Vec w = A::load(rows.radial + c, pad), scale = p * w;
    Vec g[D], q[M];
    for (int o = begin; o < end; ++o) g[o] = A::load(rows.g_out[o] + c, pad);
    for (int i = 0; i < M; ++i) {
      q[i] = A::zero();
      for (int o = begin; o < end; ++o) q[i] += rows.matrix[i * D + o] * g[o];
    }
    if constexpr (M != D) q[1] = g[0];
    const auto [u0, slope] = silu_and_slope(Vec(plus(A::load(row + pad, 3 * pad), load_weight<A>(bias + pad + c))));
    const Vec open = sigmoid(plus(A::load(row + 2 * pad, 3 * pad), load_weight<A>(bias + 2 * pad + c)));
    const Vec scale_open = scale * open;
    Vec ungated = A::zero();
    couplings.add(0, begin, end, scale * u0, g);
    for (int i = 1; i < M; ++i) {
      const Vec v = A::load(rows.vectors[i] + c, pad);
      ungated += v * q[i];
      if constexpr (M == D) couplings.add(i, begin, end, scale_open * v, g);
      A::store(rows.g_vectors[i] + c, pad, scale_open * q[i]);
    }
    A::store(g_row + pad, 3 * pad, scale * q[0] * slope);
    A::store(g_row + 2 * pad, 3 * pad, scale_open * (T(1) - open) * ungated);
    const Vec s = u0 * q[0] + open * ungated;
    A::store(rows.g_radial + c, pad, p * s);
    return w * s;
  }
};

/// From adjoints of the weights to those of the logits (written over them) and of the envelope.
template <class A>
struct SoftmaxBackward {
  using T = typename A::Real;
  using N = typename A::Num;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  AttentionAdjoint<A> adjoint;
  T* g_self;
  KOKKOS_FUNCTION void operator()(long t_local) const {
    for (int h = 0; h < shape.heads; ++h) one_head(e.row_begin + static_cast<int>(t_local), h);
  }
  KOKKOS_INLINE_FUNCTION void one_head(int t, int h) const {
    const long begin = e.first[t] - e.edge_begin, end = e.first[t + 1] - e.edge_begin;
    N mean{}, self = N{} + T(1);
    for (long k = begin; k < end; ++k) {
      const long at = k * shape.heads + h;
      mean += e.weight[at] * adjoint.weight[at];
      self = self - e.weight[at];
    }
    for (long k = begin; k < end; ++k) {
      const long at = k * shape.heads + h;
      const N along = adjoint.weight[at] - mean;
      if constexpr (!A::dual) {
        if (adjoint.envelope && e.envelope) {
          const T f = e.envelope[e.edge_begin + k];
          // At the very cutoff the weight is zero, and with it what could be divided.
          if (f > T(0)) adjoint.envelope[e.edge_begin + k] += e.weight[at] / f * along;
        }
      }
      adjoint.weight[at] = e.weight[at] * along * slope(e.logit[at]);
    }
    if (g_self && begin < end) {
      const N z = N{} + weights.self_logit[h];
      const N g = -(self * mean * slope(z));
      if constexpr (A::dual) {
        add_shared(g_self + h, g.t);
      } else {
        add_shared(g_self + h, g);
      }
    }
  }
  /// Of the bound.
  KOKKOS_INLINE_FUNCTION N slope(const N& z) const {
    using std::tanh;
    if (shape.bound <= 0) return N{} + T(1);
    const N y = tanh(z * T(1 / shape.bound));
    return T(1) - y * y;
  }
};

/// The adjoint of q; gradients of the score and of all three biases.
template <class A>
struct LogitsBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  AttentionAdjoint<A> adjoint;  ///< its weights are those of the logits by now
  AttentionGradients<T> gradients;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    const int t = e.row_begin + item, pad = shape.pad;
    const long begin = e.first[t] - e.edge_begin, end = e.first[t + 1] - e.edge_begin;
    for_heads<T>(team, shape, [&](int c, int head) {
      const Lane<T> score = load_weight<A>(weights.score + c);
      Vec sums[4] = {A::zero(), A::zero(), A::zero(), A::zero()};
      for (long k = begin; k < end; ++k) {
        const T* row = e.scalars + k * 3 * pad * A::rows + c;
        T* g_row = adjoint.scalars + k * 3 * pad * A::rows + c;
        const Vec q = plus(A::load(row, 3 * pad), load_weight<A>(weights.bias + c));
        const Vec g = head_lane<A>(shape, adjoint.weight + k * shape.heads, c, head);
        const auto [value, slope] = silu_and_slope(q);
        const Vec g_q = times(score, Vec(g * (T(0.2) + slope * T(0.8))));
        A::store(g_row, 3 * pad, g_q);
        if (gradients.score) {
          sums[0] += g * (q * T(0.2) + value * T(0.8));
          sums[1] += g_q;
          sums[2] += A::load(g_row + pad, 3 * pad);
          sums[3] += A::load(g_row + 2 * pad, 3 * pad);
        }
      }
      if (gradients.score && begin < end) {
        add_weight_gradient<A>(gradients.score + c, keep_live<A>(sums[0], c, shape.channels));
        for (int n = 0; n < 3; ++n) add_weight_gradient<A>(gradients.bias + n * pad + c, sums[n + 1]);
      }
    });
  }
};

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
    const int t = e.row_begin + item;
    for (long k = e.first[t] - e.edge_begin; k < e.first[t + 1] - e.edge_begin; ++k) {
      const Rows rows = rows_of(t, k);
      with_coupling_sums<A, D>(team, adjoint.couplings, e.edge_begin + k, 0, D, [&](auto&& couplings) {
        team.for_blocks(pad / lane_width<T>, [&](int b) { one_lane(rows, pad, b * lane_width<T>, couplings); });
      });
    }
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

  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static void one_lane(const Rows& rows, int pad, int c, Sums&& couplings) {
    const typename A::Num* matrix = rows.matrix;
    const Vec w = A::load(rows.radial + c, pad);
    Vec x[D], g[D], along = A::zero();
    for (int i = 0; i < D; ++i) x[i] = A::load(rows.source[i] + c, pad) + A::load(rows.target[i] + c, pad);
    for (int o = 0; o < M; ++o) g[o] = A::load(rows.g_message[o] + c, pad);
    if constexpr (M != D) expand(matrix, w, x, g, couplings);
    for (int i = 0; i < D; ++i) {
      Vec q = matrix[i * D] * g[0];
      for (int o = 1; o < D; ++o) q += matrix[i * D + o] * g[o];
      along += x[i] * q;
      const Vec g_x = w * q;
      scatter<A>(rows.g_source[i] + c, pad, g_x);
      add_to<A>(rows.g_target[i] + c, pad, g_x);
      couplings.add(i, 0, D, w * x[i], g);
    }
    add_to<A>(rows.g_radial + c, pad, along);
  }

  /// From the adjoint of the contracted component to those of all, by which it also depends on the matrix.
  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static void expand(const typename A::Num* matrix, const Vec& w, const Vec* x, Vec* g,
                                                 Sums& couplings) {
    const Vec contracted = g[1];
    for (int o = 1; o < D; ++o) g[o] = matrix[o * D] * contracted;
    Vec y[D];
    apply_transposed<D>(matrix, x, y);
    for (int o = 1; o < D; ++o) couplings.add(o, 0, 1, w * y[o], &contracted);
  }
};

}  // namespace

template <class A>
void attend_backward(const AttentionShape& shape, const AttentionEdges<A>& e,
                     const AttentionWeights<typename A::Real>& weights, const Features<A>& g_out,
                     const AttentionAdjoint<A>& adjoint, const AttentionGradients<typename A::Real>& gradients) {
  const int rows = e.row_end - e.row_begin;
  with_components(shape, [&](auto d, auto m, auto begin, auto end) {
    for_teams("isotrope::attend_backward", rows,
              AttendBackward<A, d(), m(), begin(), end()>{shape, e, weights, g_out, adjoint});
  });
  for_each("isotrope::softmax_backward", rows,
           SoftmaxBackward<A>{shape, e, weights, adjoint, shape.self ? gradients.self_logit : nullptr});
  for_teams("isotrope::logits_backward", rows, LogitsBackward<A>{shape, e, weights, adjoint, gradients});
}

template <class A>
void edge_messages_backward(const AttentionShape& shape, const AttentionEdges<A>& e, const Features<A>& source,
                            const Features<A>& target, const AttentionAdjoint<A>& adjoint, const Features<A>& g_source,
                            const Features<A>& g_target) {
  with_components(shape, [&](auto d, auto m, auto...) {
    for_teams("isotrope::edge_messages_backward", e.row_end - e.row_begin,
              EdgeMessagesBackward<A, d(), m()>{shape.pad, e, source, target, adjoint, g_source, g_target});
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                                       \
  template void attend_backward<A>(const AttentionShape&, const AttentionEdges<A>&, const AttentionWeights<A::Real>&, \
                                   const Features<A>&, const AttentionAdjoint<A>&,                                    \
                                   const AttentionGradients<A::Real>&);                                               \
  template void edge_messages_backward<A>(const AttentionShape&, const AttentionEdges<A>&, const Features<A>&,        \
                                          const Features<A>&, const AttentionAdjoint<A>&, const Features<A>&,         \
                                          const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
