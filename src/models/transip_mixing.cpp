// SPDX-License-Identifier: MIT
#include "models/transip_mixing.hpp"

#include "layers/in_duals.hpp"
#include "layers/rotary.hpp"
#include "layers/token_exchange.hpp"

namespace isotrope {

// ---- all tokens of a structure -------------------------------------------------------------------------------------

template <class A>
void FullMixing<A>::begin_forward() {
  const long size = graph_.tokens * shape_.heads.size / 2;
  if (values_ == Values::there) {
    rotary_turns(graph_.tokens, shape_.heads, shape_.frequencies, shape_.omega, graph_.dx.data(),
                 arrays_.turns.reserve(size));
    return;
  }
  rotary_phases<A>(graph_.tokens, shape_.heads, shape_.frequencies, shape_.omega, graph_.x.data(), graph_.dx.data(),
                   arrays_.cosine.reserve(size * A::rows), arrays_.sine.reserve(size * A::rows));
}

template <class A>
void FullMixing<A>::forward(int layer, T* q, Buffer<T>& kv, T* o) {
  const HeadShape& heads = shape_.heads;
  const auto turn = [&](int width, T* data) {
    const T *cosine = arrays_.cosine.data(), *sine = arrays_.sine.data();
    if (values_ == Values::there)
      rotate_tangents(graph_.tokens, heads, cosine, sine, arrays_.turns.data(), 1, width, data);
    else
      rotate<A>(graph_.tokens, heads, cosine, sine, width, data);
  };
  turn(heads.width(), q);
  turn(2 * heads.width(), kv.data());
  if constexpr (A::rows == 1) {
    TokenExchange<T> exchange(graph_.key_of, graph_.keys, kv, 2 * heads.width());
    halo_.forward(exchange);
  }
  if (arrays_.attention.size() <= static_cast<std::size_t>(layer)) arrays_.attention.resize(layer + 1);
  attention_forward<A>(heads, graph_.ranges, values_, q, kv.data(), arrays_.attention[layer], o);
}

template <class A>
void FullMixing<A>::begin_backward() {
  if (shape_.positions) arrays_.g_phase.zeros(graph_.tokens * shape_.heads.size / 2);
}

template <class A>
void FullMixing<A>::backward(int layer, const T* q, const T* kv, const T* g_o, T* g_q, Buffer<T>& g_kv) {
  const HeadShape& heads = shape_.heads;
  T* const g_keys = g_kv.reserve(graph_.keys * 2 * heads.width() * A::rows);
  attention_backward<A>(heads, graph_.ranges, values_, q, kv, g_o, arrays_.attention[layer], g_q, g_keys);
  if constexpr (A::rows == 1) {
    TokenExchange<T> exchange(graph_.key_of, graph_.keys, g_kv, 2 * heads.width());
    halo_.reverse(exchange);
  }
  const auto turn_back = [&](int width, const T* out, T* g) {
    const T *cosine = arrays_.cosine.data(), *sine = arrays_.sine.data();
    if (values_ == Values::there)
      rotate_tangents(graph_.tokens, heads, cosine, sine, arrays_.turns.data(), -1, width, g);
    else
      rotate_backward<A>(graph_.tokens, heads, cosine, sine, width, out, g,
                         shape_.positions ? arrays_.g_phase.data() : nullptr);
  };
  turn_back(heads.width(), q, g_q);
  turn_back(2 * heads.width(), kv, g_keys);
}

template <class A>
void FullMixing<A>::end_backward() {
  if (!shape_.positions) return;
  rotary_phases_backward(graph_.tokens, shape_.heads, shape_.frequencies, shape_.omega, arrays_.g_phase.data(),
                         arrays_.g_x.zeros(3 * graph_.tokens));
}

// ---- neighbours ----------------------------------------------------------------------------------------------------

template <class A>
void NeighbourMixing<A>::begin_forward() {
  const long size = graph_.edges * shape_.heads.size / 2 * A::rows;
  rotary_phases<A>(graph_.edges, shape_.heads, shape_.frequencies, shape_.omega, graph_.r.data(), graph_.dr.data(),
                   arrays_.cosine.reserve(size), arrays_.sine.reserve(size));
  neighbour_envelope<A>(envelope_, graph_.edges, graph_.r.data(), graph_.dr.data(),
                        arrays_.envelope.reserve(graph_.edges));
}

template <class A>
NeighbourEdges<A> NeighbourMixing<A>::edges_of(int layer) {
  if (arrays_.layers.size() <= static_cast<std::size_t>(layer)) arrays_.layers.resize(layer + 1);
  auto& of_layer = arrays_.layers[layer];
  const long heads = shape_.heads.heads;
  return {graph_.tokens,
          graph_.edges,
          graph_.first.data(),
          graph_.key.data(),
          bound_,
          arrays_.cosine.data(),
          arrays_.sine.data(),
          arrays_.envelope.data(),
          of_layer.tanh.reserve(graph_.edges * heads),
          of_layer.weight.reserve(graph_.edges * heads),
          of_layer.inverse.reserve(graph_.tokens * heads)};
}

template <class A>
void NeighbourMixing<A>::forward(int layer, T* q, Buffer<T>& kv, T* o) {
  if constexpr (A::rows == 1) {
    TokenExchange<T> exchange(graph_.key_of, graph_.keys, kv, 2 * shape_.heads.width());
    halo_.forward(exchange);
  }
  neighbour_attention<A>(shape_.heads, edges_of(layer), q, kv.data(), o);
}

template <class A>
void NeighbourMixing<A>::begin_backward() {
  if (!shape_.positions) return;
  arrays_.g_envelope.zeros(graph_.edges);
  arrays_.g_phase.zeros(graph_.edges * shape_.heads.size / 2);
  arrays_.g_r.zeros(3 * graph_.edges);
}

template <class A>
void NeighbourMixing<A>::backward(int layer, const T* q, const T* kv, const T* g_o, T* g_q, Buffer<T>& g_kv) {
  NeighbourAdjoint adjoint;
  if (shape_.positions) adjoint = {arrays_.g_envelope.data(), arrays_.g_phase.data()};
  neighbour_attention_backward<A>(shape_.heads, edges_of(layer), q, kv, g_o, adjoint, g_q,
                                  g_kv.zeros(graph_.keys * 2 * shape_.heads.width() * A::rows));
  if constexpr (A::rows == 1) {
    TokenExchange<T> exchange(graph_.key_of, graph_.keys, g_kv, 2 * shape_.heads.width());
    halo_.reverse(exchange);
  }
}

template <class A>
void NeighbourMixing<A>::end_backward() {
  if (!shape_.positions) return;
  rotary_phases_backward(graph_.edges, shape_.heads, shape_.frequencies, shape_.omega, arrays_.g_phase.data(),
                         arrays_.g_r.data());
  neighbour_envelope_backward(envelope_, graph_.edges, graph_.r.data(), arrays_.g_envelope.data(), arrays_.g_r.data());
}

#define ISOTROPE_INSTANTIATE(A) \
  template class FullMixing<A>; \
  template class NeighbourMixing<A>;
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(InDuals<float>)
ISOTROPE_INSTANTIATE(InDuals<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
