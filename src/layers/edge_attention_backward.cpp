// SPDX-License-Identifier: MIT
// Adjoints of edge_attention.cpp. With q_i = sum_k G_ik g_out_k (components wanted) and s = sum_i u_i q_i, per channel:
// out adds p w s to the energy's derivative, so g_w += p s, g_p = sum over the head's channels of w s, g_u = p w q, and
// g_G_ik = sum over channels of (p w u_i) g_out_k.
#include "core/lane_hold.hpp"
#include "layers/coupling_sums.hpp"
#include "layers/edge_attention.hpp"
#include "layers/edge_attention_detail.hpp"

namespace isotrope {
namespace {

using namespace attention;

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
    for_receiver<CouplingSums<A, D, begin, end>>(*this, team, e.row_begin + item);
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

  template <class Sums, class Team>
  KOKKOS_FORCEINLINE_FUNCTION void one_edge(const Team& team, int t, long k) const {
    const Rows rows = rows_of(t, k);
    const HeadRuns<A> runs(shape);
    for (int b = team.first_block(); b < shape.pad / lane_width<T>; b += team.block_step()) {
      activate(rows, weights.bias, shape.pad, b * lane_width<T>);
    }
    const typename A::Num* weight = e.weight + k * shape.heads;
    typename A::Num* g_weight = adjoint.weight + k * shape.heads;
    runs.fill_mixed(weight, rows.g_scalars, 3 * shape.pad);
    Sums couplings;
    for (int run = 0; run < runs.count; ++run) {
      const Vec p = runs.spread_filled(weight, run, rows.g_scalars, 3 * shape.pad);
      Vec sum = A::zero();
      for (int b = team.first_block(); b < runs.lanes; b += team.block_step()) {
        sum += one_lane(rows, shape.pad, runs.begin(run) + b * lane_width<T>, p, couplings);
      }
      runs.put_run(team, sum, run, g_weight, rows.g_scalars, 3 * shape.pad);
    }
    couplings.add_to(team, adjoint.couplings + (e.edge_begin + k) * D * D);
    runs.sum_mixed(rows.g_scalars, 3 * shape.pad, g_weight);
  }

  /// u0, its slope and what the gate lets through, left where adjoints will be written: the long chains of their
  /// exponentials run beside each other, and one_lane has the registers for itself.
  KOKKOS_FORCEINLINE_FUNCTION static void activate(const Rows& rows, const T* bias, int pad, int c) {
    const T* row = rows.scalars + c;
    T* g_row = rows.g_scalars + c;
    if (line_begins<T>(c)) {
      fetch_ahead(row + 4 * pad * A::rows);
      fetch_ahead(row + 5 * pad * A::rows);
    }
    const auto [u0, slope] = silu_and_slope(Vec(plus(A::load(row + pad, 3 * pad), load_weight<A>(bias + pad + c))));
    A::store(g_row + pad, 3 * pad, u0);
    A::store(rows.g_radial + c, pad, slope);
    A::store(g_row + 2 * pad, 3 * pad,
             sigmoid(plus(A::load(row + 2 * pad, 3 * pad), load_weight<A>(bias + 2 * pad + c))));
  }

  /// Returns w s, of which the sum over a head's channels is the adjoint of its weight p.
  template <class Sums>
  KOKKOS_FORCEINLINE_FUNCTION static Vec one_lane(const Rows& rows, int pad, int c, const Vec& p, Sums& couplings) {
    T* g_row = rows.g_scalars + c;
    if (line_begins<T>(c)) {
      fetch_ahead(rows.next_radial + c);
      for (int i = 1; i < M; ++i)
        fetch_ahead(rows.vectors[i] + (M == D ? 2 * degree_of(i) + 1 : 1) * pad * A::rows + c);
    }
    const Vec w = A::load(rows.radial + c, pad), scale = p * w, u0 = A::load(g_row + pad, 3 * pad),
              open = A::load(g_row + 2 * pad, 3 * pad), scale_open = scale * open;
    Vec g[D], q[M];
#pragma GCC unroll 4
    for (int o = begin; o < end; ++o) g[o] = hold(Vec(A::load(rows.g_out[o] + c, pad)));
#pragma GCC unroll 4
    for (int i = 0; i < M; ++i) {
      q[i] = rows.matrix[i * D + begin] * g[begin];
#pragma GCC unroll 4
      for (int o = begin + 1; o < end; ++o) q[i] += rows.matrix[i * D + o] * g[o];
    }
    if constexpr (M != D) q[1] = g[0];
    Vec ungated = A::zero();
    couplings.add(0, scale * u0, g);
#pragma GCC unroll 4
    for (int i = 1; i < M; ++i) {
      const Vec v = hold(Vec(A::load(rows.vectors[i] + c, pad)));
      ungated += v * q[i];
      if constexpr (M == D) couplings.add(i, scale_open * v, g);
      A::store(rows.g_vectors[i] + c, pad, scale_open * q[i]);
    }
    A::store(g_row + pad, 3 * pad, scale * q[0] * A::load(rows.g_radial + c, pad));
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
    const int t = e.row_begin + item;
    const long begin = e.first[t] - e.edge_begin, end = e.first[t + 1] - e.edge_begin;
    const HeadRuns<A> runs(shape);
    for (long k = begin; k < end; ++k) {
      runs.fill_mixed(adjoint.weight + k * shape.heads, adjoint.scalars + k * 3 * shape.pad * A::rows, 3 * shape.pad);
    }
    for (int run = 0; run < runs.count; ++run) {
      for (int b = team.first_block(); b < runs.lanes; b += team.block_step()) {
        one_lane(runs, run, runs.begin(run) + b * lane_width<T>, begin, end);
      }
    }
  }
  KOKKOS_FORCEINLINE_FUNCTION void one_lane(const HeadRuns<A>& runs, int run, int c, long begin, long end) const {
    const int pad = shape.pad;
    const Lane<T> score = load_weight<A>(weights.score + c);
    Vec sums[4] = {A::zero(), A::zero(), A::zero(), A::zero()};
    for (long k = begin; k < end; ++k) {
      const T* row = e.scalars + k * 3 * pad * A::rows + c;
      T* g_row = adjoint.scalars + k * 3 * pad * A::rows + c;
      const Vec q = plus(A::load(row, 3 * pad), load_weight<A>(weights.bias + c));
      const Vec g = runs.spread_filled(adjoint.weight + k * shape.heads, run, g_row - c, 3 * pad);
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
#pragma GCC unroll 4
      for (int n = 0; n < 3; ++n) add_weight_gradient<A>(gradients.bias + n * pad + c, sums[n + 1]);
    }
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

#define ISOTROPE_INSTANTIATE(A)                                                                                       \
  template void attend_backward<A>(const AttentionShape&, const AttentionEdges<A>&, const AttentionWeights<A::Real>&, \
                                   const Features<A>&, const AttentionAdjoint<A>&,                                    \
                                   const AttentionGradients<A::Real>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
