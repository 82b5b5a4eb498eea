// SPDX-License-Identifier: MIT
#include "layers/neighbour_attention.hpp"

#include "layers/channels.hpp"
#include "layers/in_duals.hpp"
#include "layers/pair_lanes.hpp"

namespace isotrope {
namespace {

template <class A>
struct EnvelopeForward {
  Envelope end;
  const double *r, *dr;
  typename A::Num* envelope;
  KOKKOS_FUNCTION void operator()(long e) const {
    using N = typename A::Num;
    using std::sqrt;
    const double* x = r + 3 * e;
    const double length = sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    if (length == 0) {
      envelope[e] = N{} + typename A::Real(1);
      return;
    }
    if constexpr (A::dual) {
      const double* t = dr + 3 * e;
      const Dual<double> of{length, (x[0] * t[0] + x[1] * t[1] + x[2] * t[2]) / length};
      envelope[e] = cast_num(end(of), static_cast<N*>(nullptr));
    } else {
      envelope[e] = cast_num(end(length), static_cast<N*>(nullptr));
    }
  }
};

struct EnvelopeBackward {
  Envelope end;
  const double *r, *g_envelope;
  double* g_r;
  KOKKOS_FUNCTION void operator()(long e) const {
    const double* x = r + 3 * e;
    const double length = std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
    if (length == 0) return;
    const double slope = g_envelope[e] * end(Dual<double>{length, 1}).t / length;
    for (int k = 0; k < 3; ++k) g_r[3 * e + k] += slope * x[k];
  }
};

/// The two halves of a head's channels: pairs that the rotary embedding turns.
template <class P>
struct Pair {
  typename P::Vec a, b;
};
template <class P>
KOKKOS_INLINE_FUNCTION Pair<P> load_pair(const typename P::Real* row, int half, int j, int width) {
  return {P::load(row + j, width), P::load(row + half + j, width)};
}
/// The pair turned by the phase, or back.
template <class P>
KOKKOS_INLINE_FUNCTION Pair<P> turned(const Pair<P>& x, const typename P::Vec& cosine, const typename P::Vec& sine) {
  return {x.a * cosine - x.b * sine, x.a * sine + x.b * cosine};
}
template <class P>
KOKKOS_INLINE_FUNCTION Pair<P> turned_back(const Pair<P>& x, const typename P::Vec& cosine,
                                           const typename P::Vec& sine) {
  return {x.a * cosine + x.b * sine, x.b * cosine - x.a * sine};
}
template <class P>
KOKKOS_INLINE_FUNCTION typename P::Vec product(const Pair<P>& x, const Pair<P>& y) {
  return x.a * y.a + x.b * y.b;
}

template <class A>
struct Forward {
  using T = typename A::Real;
  using N = typename A::Num;
  using Vec = typename A::Vec;
  using P = Pairs<A>;
  HeadShape shape;
  NeighbourEdges<A> edge;
  const T *q, *kv;
  T* o;

  KOKKOS_FUNCTION void operator()(long i) const {
    for (int h = 0; h < shape.heads; ++h) {
      weigh(i, h);
      gather(i, h);
    }
  }
  KOKKOS_INLINE_FUNCTION void weigh(long i, int h) const {
    using std::exp;
    using std::tanh;
    const int half = shape.size / 2, width = shape.width();
    const T* query = q + i * width * A::rows + h * shape.size;
    const T bound = static_cast<T>(edge.bound), by_bound = T(1) / bound;
    N sum{};
    for (long e = edge.first[i]; e < edge.first[i + 1]; ++e) {
      const T* key = kv + static_cast<long>(edge.key[e]) * 2 * width * A::rows + h * shape.size;
      const T *c = edge.cosine + e * half * A::rows, *s = edge.sine + e * half * A::rows;
      typename P::Vec logit = P::zero();
      for (int j = 0; j < half; j += pair_width<T>) {
        const Pair<P> k = turned<P>(load_pair<P>(key, half, j, 2 * width), P::load(c + j, half), P::load(s + j, half));
        logit += product<P>(load_pair<P>(query, half, j, width), k);
      }
      const N bounded = tanh(N(horizontal_sum(logit) * by_bound));
      const N weight = edge.envelope[e] * exp(N(bounded * bound));
      edge.tanh[e * shape.heads + h] = bounded;
      edge.weight[e * shape.heads + h] = weight;
      sum += weight;
    }
    const N inverse = T(1) / sum;
    edge.inverse[i * shape.heads + h] = inverse;
    for (long e = edge.first[i]; e < edge.first[i + 1]; ++e)
      edge.weight[e * shape.heads + h] = edge.weight[e * shape.heads + h] * inverse;
  }
  KOKKOS_INLINE_FUNCTION void gather(long i, int h) const {
    const int width = shape.width();
    T* out = o + i * width * A::rows + h * shape.size;
    for (int c = 0; c < shape.size; c += lane_width<T>) {
      Vec sum = A::zero();
      for (long e = edge.first[i]; e < edge.first[i + 1]; ++e) {
        const T* value = kv + static_cast<long>(edge.key[e]) * 2 * width * A::rows + width + h * shape.size;
        sum += spread<A>(edge.weight[e * shape.heads + h]) * A::load(value + c, 2 * width);
      }
      A::store(out + c, width, sum);
    }
  }
};

template <class A>
struct Backward {
  using T = typename A::Real;
  using N = typename A::Num;
  using Vec = typename A::Vec;
  using P = Pairs<A>;
  HeadShape shape;
  NeighbourEdges<A> edge;
  const T *q, *kv, *g_o;
  NeighbourAdjoint g;
  T *g_q, *g_kv;

  KOKKOS_FUNCTION void operator()(long i) const {
    for (int h = 0; h < shape.heads; ++h) of_head(i, h);
  }
  /// The adjoint of the weight of an edge.
  KOKKOS_INLINE_FUNCTION N by_weight(long i, long e, int h) const {
    const int width = shape.width();
    const T* value = kv + static_cast<long>(edge.key[e]) * 2 * width * A::rows + width + h * shape.size;
    const T* g_out = g_o + i * width * A::rows + h * shape.size;
    Vec sum = A::zero();
    for (int c = 0; c < shape.size; c += lane_width<T>)
      sum += A::load(g_out + c, width) * A::load(value + c, 2 * width);
    return horizontal_sum(sum);
  }
  KOKKOS_INLINE_FUNCTION void of_head(long i, int h) const {
    const int width = shape.width();
    T* g_query = g_q + i * width * A::rows + h * shape.size;
    for (int c = 0; c < shape.size; c += lane_width<T>) A::store(g_query + c, width, A::zero());
    N mean{};
    for (long e = edge.first[i]; e < edge.first[i + 1]; ++e)
      mean += edge.weight[e * shape.heads + h] * by_weight(i, e, h);
    for (long e = edge.first[i]; e < edge.first[i + 1]; ++e) {
      const N by_share = by_weight(i, e, h) - mean;
      const N weight = edge.weight[e * shape.heads + h], bounded = edge.tanh[e * shape.heads + h];
      value_backward(i, e, h, weight);
      logit_backward(i, e, h, weight * by_share * (T(1) - bounded * bounded));
      if constexpr (!A::dual) {
        if (g.envelope) {
          const T share = std::exp(static_cast<T>(edge.bound) * bounded) * edge.inverse[i * shape.heads + h];
          g.envelope[e] += static_cast<double>(share * by_share);
        }
      }
    }
  }
  KOKKOS_INLINE_FUNCTION void value_backward(long i, long e, int h, const N& weight) const {
    const int width = shape.width();
    T* g_value = g_kv + static_cast<long>(edge.key[e]) * 2 * width * A::rows + width + h * shape.size;
    const T* g_out = g_o + i * width * A::rows + h * shape.size;
    for (int c = 0; c < shape.size; c += lane_width<T>)
      scatter<A>(g_value + c, 2 * width, spread<A>(weight) * A::load(g_out + c, width));
  }
  KOKKOS_INLINE_FUNCTION void logit_backward(long i, long e, int h, const N& g_logit) const {
    const int half = shape.size / 2, width = shape.width();
    const long at_key = static_cast<long>(edge.key[e]) * 2 * width * A::rows + h * shape.size;
    const T *query = q + i * width * A::rows + h * shape.size, *key = kv + at_key;
    T *g_query = g_q + i * width * A::rows + h * shape.size, *g_key = g_kv + at_key;
    const typename P::Vec factor = P::spread(g_logit);
    for (int j = 0; j < half; j += pair_width<T>) {
      const typename P::Vec c = P::load(edge.cosine + e * half * A::rows + j, half),
                            s = P::load(edge.sine + e * half * A::rows + j, half);
      const Pair<P> x = load_pair<P>(query, half, j, width), k = turned<P>(load_pair<P>(key, half, j, 2 * width), c, s),
                    back = turned_back<P>(x, c, s);
      add_to<P>(g_query + j, width, factor * k.a);
      add_to<P>(g_query + half + j, width, factor * k.b);
      P::scatter(g_key + j, 2 * width, factor * back.a);
      P::scatter(g_key + half + j, 2 * width, factor * back.b);
      if constexpr (!A::dual) {
        if (g.phase) add_phase(e, half, j, factor * (x.b * k.a - x.a * k.b));
      }
    }
  }
  /// A pair (a, b) moves by (-b, a) with its phase. Heads of a token run on one thread.
  KOKKOS_INLINE_FUNCTION void add_phase(long e, int half, int j, const typename P::Vec& slope) const {
    double* phase = g.phase + e * half + j;
    if constexpr (device_build) {
      phase[0] += static_cast<double>(horizontal_sum(slope));
    } else {
      if constexpr (!A::dual) {
        for (int k = 0; k < pair_width<T>; ++k) phase[k] += static_cast<double>(slope[k]);
      }
    }
  }
};

}  // namespace

template <class A>
void neighbour_envelope(const Envelope& end, long edges, const double* r, const double* dr, typename A::Num* envelope) {
  for_each("isotrope::neighbour_envelope", edges, EnvelopeForward<A>{end, r, dr, envelope});
}

void neighbour_envelope_backward(const Envelope& end, long edges, const double* r, const double* g_envelope,
                                 double* g_r) {
  for_each("isotrope::neighbour_envelope_backward", edges, EnvelopeBackward{end, r, g_envelope, g_r});
}

template <class A>
void neighbour_attention(const HeadShape& shape, const NeighbourEdges<A>& e, const typename A::Real* q,
                         const typename A::Real* kv, typename A::Real* o) {
  for_each("isotrope::neighbour_attention", e.tokens, Forward<A>{shape, e, q, kv, o});
}

template <class A>
void neighbour_attention_backward(const HeadShape& shape, const NeighbourEdges<A>& e, const typename A::Real* q,
                                  const typename A::Real* kv, const typename A::Real* g_o, const NeighbourAdjoint& g,
                                  typename A::Real* g_q, typename A::Real* g_kv) {
  for_each("isotrope::neighbour_attention_backward", e.tokens, Backward<A>{shape, e, q, kv, g_o, g, g_q, g_kv});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                    \
  template void neighbour_envelope<A>(const Envelope&, long, const double*, const double*, A::Num*);               \
  template void neighbour_attention<A>(const HeadShape&, const NeighbourEdges<A>&, const A::Real*, const A::Real*, \
                                       A::Real*);                                                                  \
  template void neighbour_attention_backward<A>(const HeadShape&, const NeighbourEdges<A>&, const A::Real*,        \
                                                const A::Real*, const A::Real*, const NeighbourAdjoint&, A::Real*, \
                                                A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
