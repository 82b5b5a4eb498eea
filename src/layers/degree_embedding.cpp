// SPDX-License-Identifier: MIT
#include "layers/degree_embedding.hpp"

#include "layers/edge_attention_detail.hpp"

namespace isotrope {
namespace {

using namespace attention;

template <class A>
KOKKOS_INLINE_FUNCTION typename A::Num envelope_of(const AttentionEdges<A>& e, long k) {
  if (e.envelope) return e.envelope[e.edge_begin + k];
  return typename A::Num{} + typename A::Real(1);
}

template <class A>
struct Embed {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  const T* q;
  Features<A> out;
  typename A::Num* count;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    const int t = e.row_begin + item, pad = shape.pad;
    const long begin = e.first[t] - e.edge_begin, end = e.first[t + 1] - e.edge_begin;
    typename A::Num total{};
    for (long k = begin; k < end; ++k) total += envelope_of(e, k);
    team.once([&] { count[t] = total; });
    team.for_blocks(pad / lane_width<T>, [&](int b) {
      const int c = b * lane_width<T>;
      for (int o = 0; o < shape.d; ++o) A::store(component(out, t, o, pad) + c, pad, A::zero());
      for (long k = begin; k < end; ++k) {
        const typename A::Num* matrix = e.couplings + (e.edge_begin + k) * shape.d * shape.d;
        const Vec x = envelope_of(e, k) * times(load_weight<A>(q + c), A::load(e.radial + k * pad * A::rows + c, pad));
        for (int o = 0; o < shape.d; ++o) add_to<A>(component(out, t, o, pad) + c, pad, matrix[o] * x);
      }
    });
  }
};

template <class A>
struct EmbedBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  AttentionShape shape;
  AttentionEdges<A> e;
  const T* q;
  Features<A> g_out;
  const typename A::Num* g_count;
  AttentionAdjoint<A> adjoint;
  T* g_q;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int item) const {
    const int t = e.row_begin + item, pad = shape.pad, d = shape.d;
    for (long k = e.first[t] - e.edge_begin; k < e.first[t + 1] - e.edge_begin; ++k) {
      const typename A::Num* matrix = e.couplings + (e.edge_begin + k) * d * d;
      const typename A::Num f = envelope_of(e, k);
      Vec along = A::zero(), couplings[16];
      for (int o = 0; o < d; ++o) couplings[o] = A::zero();
      team.for_blocks(pad / lane_width<T>, [&](int b) {
        const int c = b * lane_width<T>;
        const Vec w = A::load(e.radial + k * pad * A::rows + c, pad), qw = times(load_weight<A>(q + c), w);
        Vec p = A::zero();
        for (int o = 0; o < d; ++o) {
          const Vec g = A::load(component(g_out, t, o, pad) + c, pad);
          p += matrix[o] * g;
          couplings[o] += qw * g;
        }
        along += qw * p;
        A::store(adjoint.radial + k * pad * A::rows + c, pad, f * times(load_weight<A>(q + c), p));
        if (g_q) add_weight_gradient<A>(g_q + c, f * (w * p));
      });
      if constexpr (!A::dual) {
        if (adjoint.couplings) add_adjoints(team, e.edge_begin + k, f, g_count[t], along, couplings);
      }
    }
  }
  template <class Team>
  KOKKOS_INLINE_FUNCTION void add_adjoints(const Team& team, long edge, T f, T of_count, const Vec& along,
                                           const Vec* couplings) const {
    for (int o = 0; o < shape.d; ++o) {
      const T total = team.sum(couplings[o]);
      team.once([&] { adjoint.couplings[edge * shape.d * shape.d + o] += f * total; });
    }
    const T total = team.sum(along);
    if (adjoint.envelope) team.once([&] { adjoint.envelope[edge] += total + of_count; });
  }
};

template <class A>
struct AddCountedBias {
  using T = typename A::Real;
  Features<A> y;
  const typename A::Num* count;
  const T* bias;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int c = b * lane_width<T>;
    add_to<A>(y.at(0, i, 0) + c, y.layout.block[0].pad, times(load_weight<A>(bias + c), spread<A>(count[i])));
  }
};

template <class A>
struct AddCountedBiasBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  Features<A> g_y;
  const typename A::Num* count;
  const T* bias;
  typename A::Num* g_count;
  T* gradient;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int i) const {
    const int pad = g_y.layout.block[0].pad;
    Vec sum = A::zero();
    team.for_blocks(pad / lane_width<T>, [&](int b) {
      const int c = b * lane_width<T>;
      const Vec g = A::load(g_y.at(0, i, 0) + c, pad);
      sum += times(load_weight<A>(bias + c), g);
      if (gradient) add_weight_gradient<A>(gradient + c, count[i] * g);
    });
    const typename A::Num total = team_sum<A>(team, sum);
    team.once([&] { g_count[i] = total; });
  }
};

}  // namespace

template <class A>
void degree_embedding(const AttentionShape& shape, const AttentionEdges<A>& e, const typename A::Real* q,
                      const Features<A>& out, typename A::Num* count) {
  for_teams("isotrope::degree_embedding", e.row_end - e.row_begin, Embed<A>{shape, e, q, out, count});
}

template <class A>
void degree_embedding_backward(const AttentionShape& shape, const AttentionEdges<A>& e, const typename A::Real* q,
                               const Features<A>& g_out, const typename A::Num* g_count,
                               const AttentionAdjoint<A>& adjoint, typename A::Real* g_q) {
  for_teams("isotrope::degree_embedding_backward", e.row_end - e.row_begin,
            EmbedBackward<A>{shape, e, q, g_out, g_count, adjoint, g_q});
}

template <class A>
void add_counted_bias(const Features<A>& y, long rows, const typename A::Num* count, const typename A::Real* bias) {
  for_channels("isotrope::add_counted_bias", static_cast<int>(rows),
               y.layout.block[0].pad / lane_width<typename A::Real>, AddCountedBias<A>{y, count, bias});
}

template <class A>
void add_counted_bias_backward(const Features<A>& g_y, long rows, const typename A::Num* count,
                               const typename A::Real* bias, typename A::Num* g_count,
                               typename A::Real* bias_gradient) {
  for_teams("isotrope::add_counted_bias_backward", static_cast<int>(rows),
            AddCountedBiasBackward<A>{g_y, count, bias, g_count, bias_gradient});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                        \
  template void degree_embedding<A>(const AttentionShape&, const AttentionEdges<A>&, const A::Real*,                   \
                                    const Features<A>&, A::Num*);                                                      \
  template void degree_embedding_backward<A>(const AttentionShape&, const AttentionEdges<A>&, const A::Real*,          \
                                             const Features<A>&, const A::Num*, const AttentionAdjoint<A>&, A::Real*); \
  template void add_counted_bias<A>(const Features<A>&, long, const A::Num*, const A::Real*);                          \
  template void add_counted_bias_backward<A>(const Features<A>&, long, const A::Num*, const A::Real*, A::Num*,         \
                                             A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
