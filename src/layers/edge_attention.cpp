// SPDX-License-Identifier: MIT
#include "layers/edge_attention.hpp"

#include "core/lane_hold.hpp"
#include "layers/edge_attention_detail.hpp"

namespace isotrope {
namespace {

using namespace attention;

template <class A, int D, int M>
struct EdgeMessages {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  int pad;
  AttentionEdges<A> e;
  Features<A> source, target;
  KOKKOS_FUNCTION void operator()(int k, int b) const {
    const int c = b * lane_width<T>;
    const long edge = e.edge_begin + k;
    Vec x[D], y[D];
    if (line_begins<T>(c)) {
      const int next = e.sender[e.edge_begin + e.next(k)];
      for (int i = 0; i < D; ++i) fetch_ahead(component(source, next, i, pad) + c);
      fetch_ahead(e.radial_of(e.next(k), pad) + c);
    }
#pragma GCC unroll 4
    for (int i = 0; i < D; ++i) {
      x[i] = hold(Vec(A::load(component(source, e.sender[edge], i, pad) + c, pad) +
                      A::load(component(target, e.receiver[edge], i, pad) + c, pad)));
    }
    const typename A::Num* matrix = e.couplings + edge * D * D;
    apply_transposed<D>(matrix, x, y);
    if constexpr (M != D) {
      y[1] = matrix[D] * y[1];
      for (int i = 2; i < D; ++i) y[1] += matrix[i * D] * y[i];
    }
    const Vec w = A::load(e.radial_of(k, pad) + c, pad);
#pragma GCC unroll 4
    for (int i = 0; i < M; ++i) {
      A::store(e.message + message_row<D, M>(e.edges, k, i) * pad * A::rows + c, pad, w * y[i]);
    }
  }
};

/// leaky(x) = 0.2 x + 0.8 silu(x), the smooth leaky ReLU of slope 0.2.
template <class A>
struct Logits {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int k) const {
    const T* row = e.scalars + static_cast<long>(k) * 3 * shape.pad * A::rows;
    const HeadRuns<A> runs(shape);
    for (int run = 0; run < runs.count; ++run) {
      Vec sum = A::zero();
      for (int b = team.first_block(); b < runs.lanes; b += team.block_step()) {
        const int c = runs.begin(run) + b * lane_width<T>;
        const Vec q = plus(A::load(row + c, 3 * shape.pad), load_weight<A>(weights.bias + c));
        sum += times(load_weight<A>(weights.score + c), Vec(q * T(0.2) + silu(q) * T(0.8)));
      }
      runs.add_run(team, sum, run, e.logit + static_cast<long>(k) * shape.heads);
    }
  }
};

template <class T>
KOKKOS_INLINE_FUNCTION T number(T x) {
  return x;
}
template <class T>
KOKKOS_INLINE_FUNCTION T number(const Dual<T>& x) {
  return x.v;
}

template <class N>
KOKKOS_INLINE_FUNCTION N bounded(const N& z, double bound) {
  using std::tanh;
  using T = decltype(number(z));
  if (bound <= 0) return z;
  return tanh(z * T(1 / bound)) * T(bound);
}

/// Softmax over the edges of a receiver and, where it takes a share, itself.
template <class A>
struct Softmax {
  using T = typename A::Real;
  using N = typename A::Num;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  KOKKOS_FUNCTION void operator()(long item) const {
    const int t = e.row_begin + static_cast<int>(item / shape.heads), h = static_cast<int>(item % shape.heads);
    const long begin = e.first[t] - e.edge_begin, end = e.first[t + 1] - e.edge_begin;
    if (begin == end) return;
    N self{};
    if (shape.self) self = bounded(with_tangent(weights.self_logit[h]), shape.bound);
    T most = shape.self ? number(self) : number(bounded(e.logit[begin * shape.heads + h], shape.bound));
    for (long k = begin; k < end; ++k) {
      const N z = e.weight[k * shape.heads + h] = bounded(e.logit[k * shape.heads + h], shape.bound);
      most = number(z) > most ? number(z) : most;
    }
    N sum{};
    if (shape.self) sum = exponential(self, most);
    for (long k = begin; k < end; ++k) {
      N& p = e.weight[k * shape.heads + h];
      p = exponential(p, most);
      if (e.envelope) p = p * e.envelope[e.edge_begin + k];
      sum += p;
    }
    const N inverse = T(1) / sum;
    for (long k = begin; k < end; ++k) e.weight[k * shape.heads + h] = e.weight[k * shape.heads + h] * inverse;
  }
  KOKKOS_INLINE_FUNCTION static N with_tangent(T x) {
    if constexpr (A::dual) {
      return {x, T(0)};
    } else {
      return x;
    }
  }
  KOKKOS_INLINE_FUNCTION static N exponential(const N& z, T most) {
    using std::exp;
    return exp(z - most);
  }
};

template <class A, int D, int M, int begin, int end>
struct Attend {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  AttentionWeights<T> weights;
  Features<A> out;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    const int t = e.row_begin + item;
    team.for_blocks(shape.pad / lane_width<T>, [&](int b) {
      for (int k = begin; k < end; ++k) A::store(place(t, k) + b * lane_width<T>, shape.pad, A::zero());
    });
    const HeadRuns<A> runs(shape);
    for (long k = e.first[t] - e.edge_begin; k < e.first[t + 1] - e.edge_begin; ++k) {
      for (int run = 0; run < runs.count; ++run) {
        const Vec p = runs.spread_heads(e.weight + k * shape.heads, run);
        for (int b = team.first_block(); b < runs.lanes; b += team.block_step()) {
          add_edge(t, k, runs.begin(run) + b * lane_width<T>, p);
        }
      }
    }
  }
  KOKKOS_INLINE_FUNCTION T* place(int t, int k) const {
    return out.data + component_row(out.atoms, t, k, degree_of(begin)) * shape.pad * A::rows;
  }
  KOKKOS_FORCEINLINE_FUNCTION void add_edge(int t, long k, int c, const Vec& p) const {
    const int pad = shape.pad;
    const T* row = e.scalars + k * 3 * pad * A::rows + c;
    if (line_begins<T>(c)) {
      fetch_ahead(e.radial_of(e.next(k), pad) + c);
      fetch_ahead(row + 4 * pad * A::rows);
      fetch_ahead(row + 5 * pad * A::rows);
    }
    const Vec scale = p * A::load(e.radial_of(k, pad) + c, pad);
    const Vec open = scale * sigmoid(plus(A::load(row + 2 * pad, 3 * pad), load_weight<A>(weights.bias + 2 * pad + c)));
    Vec u[M];
    u[0] = scale * silu(plus(A::load(row + pad, 3 * pad), load_weight<A>(weights.bias + pad + c)));
#pragma GCC unroll 4
    for (int i = 1; i < M; ++i) {
      u[i] = open * A::load(e.vectors + (message_row<D, M>(e.edges, k, i) - e.edges) * pad * A::rows + c, pad);
    }
    const typename A::Num* g = e.couplings + (e.edge_begin + k) * D * D;
    if constexpr (M != D) return add_to<A>(place(t, 0) + c, pad, g[0] * u[0] + u[1]);
#pragma GCC unroll 4
    for (int o = begin; o < end; ++o) {
      Vec sum = g[o] * u[0];
#pragma GCC unroll 4
      for (int i = 1; i < M; ++i) sum += g[i * D + o] * u[i];
      add_to<A>(place(t, o) + c, pad, sum);
    }
  }
};

}  // namespace

template <class A>
void edge_messages(const AttentionShape& shape, const AttentionEdges<A>& e, const Features<A>& source,
                   const Features<A>& target) {
  with_components(shape, [&](auto d, auto m, auto...) {
    for_channels("isotrope::edge_messages", static_cast<int>(e.edges), shape.pad / lane_width<typename A::Real>,
                 EdgeMessages<A, d(), m()>{shape.pad, e, source, target});
  });
}

template <class A>
void attention_weights(const AttentionShape& shape, const AttentionEdges<A>& e,
                       const AttentionWeights<typename A::Real>& weights) {
  for_teams("isotrope::attention_logits", static_cast<int>(e.edges), Logits<A>{shape, e, weights});
  for_each("isotrope::attention_softmax", static_cast<long>(e.row_end - e.row_begin) * shape.heads,
           Softmax<A>{shape, e, weights});
}

template <class A>
void attend(const AttentionShape& shape, const AttentionEdges<A>& e, const AttentionWeights<typename A::Real>& weights,
            const Features<A>& out) {
  with_components(shape, [&](auto d, auto m, auto begin, auto end) {
    for_teams("isotrope::attend", e.row_end - e.row_begin, Attend<A, d(), m(), begin(), end()>{shape, e, weights, out});
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                              \
  template void edge_messages<A>(const AttentionShape&, const AttentionEdges<A>&, const Features<A>&,        \
                                 const Features<A>&);                                                        \
  template void attention_weights<A>(const AttentionShape&, const AttentionEdges<A>&,                        \
                                     const AttentionWeights<A::Real>&);                                      \
  template void attend<A>(const AttentionShape&, const AttentionEdges<A>&, const AttentionWeights<A::Real>&, \
                          const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
