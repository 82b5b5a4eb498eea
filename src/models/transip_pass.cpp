// SPDX-License-Identifier: MIT
#include "models/transip_pass.hpp"

#include "layers/channels.hpp"
#include "layers/linear.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/rms_norm.hpp"
#include "layers/rotary.hpp"
#include "layers/token_exchange.hpp"

namespace isotrope {
namespace {

template <class A>
struct Embed {
  using T = typename A::Real;
  int pad;
  const int* row;
  const T* table;
  T* x;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const Lane<T> e = load_lane(table + static_cast<long>(row[i]) * pad + b * lane_width<T>);
    A::store(x + static_cast<long>(i) * pad * A::rows + b * lane_width<T>, pad, plus<T>(A::zero(), e));
  }
};

template <class A>
struct EmbedBackward {
  using T = typename A::Real;
  int pad;
  const int* row;
  const T* g;
  T* weight_gradient;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const auto sum = A::load(g + static_cast<long>(i) * pad * A::rows + b * lane_width<T>, pad);
    add_weight_gradient<A>(weight_gradient + static_cast<long>(row[i]) * pad + b * lane_width<T>, sum);
  }
};

template <class T>
struct Copy {
  const T* from;
  T* to;
  KOKKOS_FUNCTION void operator()(long i) const { to[i] = from[i]; }
};
template <class T>
struct Add {
  const T* from;
  T* to;
  KOKKOS_FUNCTION void operator()(long i) const { to[i] += from[i]; }
};

}  // namespace

template <class A>
TransipPass<A>::TransipPass(const Constants& constants, const Purpose& purpose, const TokenGraph& graph, Halo& halo,
                            TransipArrays<A>& arrays, T* weight_gradient)
    : c_(constants), purpose_(purpose), graph_(graph), halo_(halo), arrays_(arrays), weight_gradient_(weight_gradient) {
  arrays_.layers.resize(c_.shape->layers);
}

template <class A>
void TransipPass<A>::forward() {
  const int half = c_.shape->heads.size / 2;
  rotary_phases<A>(graph_.tokens, c_.shape->heads, c_.omega, graph_.x.data(), graph_.dx.data(),
                   reserve(arrays_.cosine, half), reserve(arrays_.sine, half));
  embed();
  for (int t = 0; t < c_.shape->layers; ++t) {
    attend(t);
    transform(t);
  }
  norm(c_.plan->norm, arrays_.x, arrays_.y);
  read_out(c_.plan->energy, arrays_.energy);
  if (purpose_.forces) read_out(c_.plan->force, arrays_.force);
}

template <class A>
void TransipPass<A>::backward() {
  const long size = graph_.tokens * c_.plan->pad * A::rows;
  arrays_.g_y.zeros(size);
  arrays_.g.zeros(size);
  if (purpose_.positions) arrays_.g_x.zeros(3 * graph_.tokens);
  read_out_backward(c_.plan->energy, arrays_.energy);
  if (purpose_.forces) read_out_backward(c_.plan->force, arrays_.force);
  if (purpose_.latent)
    for_each("isotrope::transip_latent_seed", size, Add<T>{arrays_.g_latent.data(), arrays_.g_y.data()});
  norm_backward(c_.plan->norm, arrays_.x);
  for (int t = c_.shape->layers - 1; t >= 0; --t) {
    transform_backward(t);
    attend_backward(t);
  }
  if (weight_gradient_) embed_backward();
}

template <class A>
void TransipPass<A>::embed() {
  const int pad = c_.plan->pad;
  for_channels("isotrope::transip_embed", graph_.tokens, pad / lane_width<T>,
               Embed<A>{pad, graph_.row.data(), c_.weights + c_.plan->embedding, reserve(arrays_.layers[0].x, pad)});
}

template <class A>
void TransipPass<A>::embed_backward() {
  const int pad = c_.plan->pad;
  for_channels("isotrope::transip_embed_backward", graph_.tokens, pad / lane_width<T>,
               EmbedBackward<A>{pad, graph_.row.data(), arrays_.g.data(), gradient_at(c_.plan->embedding)});
}

/// mid = x + (attention of norm(x)) W.
template <class A>
void TransipPass<A>::attend(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  const HeadShape& heads = c_.shape->heads;
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, width = heads.width();
  norm(w.attention_norm, a.x, a.y);
  T *q = reserve(a.q, width), *kv = a.kv.reserve(graph_.keys * 2 * width * A::rows);
  linear_forward<A>(c_.weights, w.query, graph_.tokens, a.y.data(), pad, 0, q, width);
  linear_forward<A>(c_.weights, w.key_value, graph_.tokens, a.y.data(), pad, 0, kv, 2 * width);
  rotate<A>(graph_.tokens, heads, arrays_.cosine.data(), arrays_.sine.data(), width, q);
  rotate<A>(graph_.tokens, heads, arrays_.cosine.data(), arrays_.sine.data(), 2 * width, kv);
  if constexpr (!A::dual) {
    TokenExchange<T> exchange(graph_, a.kv, 2 * width);
    halo_.forward(exchange);
  }
  attention_forward<A>(heads, graph_.ranges, q, kv, arrays_.attention, reserve(a.o, width));
  copy(a.x.data(), reserve(a.mid, pad));
  linear_forward<A>(c_.weights, w.output, graph_.tokens, a.o.data(), width, 1, a.mid.data(), pad);
}

/// g: from the adjoint of mid to that of x.
template <class A>
void TransipPass<A>::attend_backward(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  const HeadShape& heads = c_.shape->heads;
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, width = heads.width();
  const long tokens = graph_.tokens;
  linear_weight_gradient<A>(w.output, tokens, a.o.data(), width, arrays_.g.data(), pad, weight_gradient_);
  T* g_o = reserve(arrays_.g_hidden, width);
  linear_backward<A>(c_.weights, w.output, tokens, arrays_.g.data(), pad, 0, g_o, width);
  T *g_q = reserve(arrays_.g_q, width), *g_kv = arrays_.g_kv.zeros(graph_.keys * 2 * width * A::rows);
  attention_backward<A>(heads, graph_.ranges, a.q.data(), a.kv.data(), g_o, arrays_.attention, g_q, g_kv);
  if constexpr (!A::dual) {
    TokenExchange<T> exchange(graph_, arrays_.g_kv, 2 * width);
    halo_.reverse(exchange);
  }
  double* g_x = purpose_.positions ? arrays_.g_x.data() : nullptr;
  rotate_backward<A>(tokens, heads, c_.omega, arrays_.cosine.data(), arrays_.sine.data(), width, a.q.data(), g_q, g_x);
  rotate_backward<A>(tokens, heads, c_.omega, arrays_.cosine.data(), arrays_.sine.data(), 2 * width, a.kv.data(), g_kv,
                     g_x);
  linear_weight_gradient<A>(w.query, tokens, a.y.data(), pad, g_q, width, weight_gradient_);
  linear_weight_gradient<A>(w.key_value, tokens, a.y.data(), pad, g_kv, 2 * width, weight_gradient_);
  linear_backward<A>(c_.weights, w.query, tokens, g_q, width, 0, arrays_.g_y.data(), pad);
  linear_backward<A>(c_.weights, w.key_value, tokens, g_kv, 2 * width, 1, arrays_.g_y.data(), pad);
  norm_backward(w.attention_norm, a.x);
}

/// x of the next layer = mid + silu(norm(mid) W0) W1.
template <class A>
void TransipPass<A>::transform(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  norm(w.network_norm, a.mid, a.mid_y);
  T *before = reserve(a.before, hidden), *after = reserve(a.after, hidden);
  linear_forward<A>(c_.weights, w.network[0], graph_.tokens, a.mid_y.data(), pad, 0, before, hidden);
  activate<A>(graph_.tokens, hidden, 1, before, after);
  T* x = reserve(output_of(t), pad);
  copy(a.mid.data(), x);
  linear_forward<A>(c_.weights, w.network[1], graph_.tokens, after, hidden, 1, x, pad);
}

/// g: from the adjoint of what comes out of the layer to that of mid.
template <class A>
void TransipPass<A>::transform_backward(int t) {
  const TransipLayer& w = c_.plan->layers[t];
  Layer& a = arrays_.layers[t];
  const int pad = c_.plan->pad, hidden = c_.plan->hidden_pad;
  const long tokens = graph_.tokens;
  linear_weight_gradient<A>(w.network[1], tokens, a.after.data(), hidden, arrays_.g.data(), pad, weight_gradient_);
  T* g_hidden = reserve(arrays_.g_hidden, hidden);
  linear_backward<A>(c_.weights, w.network[1], tokens, arrays_.g.data(), pad, 0, g_hidden, hidden);
  activate_backward<A>(tokens, hidden, 1, a.before.data(), g_hidden, g_hidden);
  linear_weight_gradient<A>(w.network[0], tokens, a.mid_y.data(), pad, g_hidden, hidden, weight_gradient_);
  linear_backward<A>(c_.weights, w.network[0], tokens, g_hidden, hidden, 0, arrays_.g_y.data(), pad);
  norm_backward(w.network_norm, a.mid);
}

/// out = silu(y W0) W1.
template <class A>
void TransipPass<A>::read_out(const Matrix (&network)[2], Head& head) {
  const int pad = c_.plan->pad;
  T *before = reserve(head.before, pad), *after = reserve(head.after, pad);
  linear_forward<A>(c_.weights, network[0], graph_.tokens, arrays_.y.data(), pad, 0, before, pad);
  activate<A>(graph_.tokens, pad, 1, before, after);
  linear_forward<A>(c_.weights, network[1], graph_.tokens, after, pad, 0, reserve(head.out, network[1].out),
                    network[1].out);
}

/// Adds to g_y.
template <class A>
void TransipPass<A>::read_out_backward(const Matrix (&network)[2], Head& head) {
  const int pad = c_.plan->pad, width = network[1].out;
  const long tokens = graph_.tokens;
  linear_weight_gradient<A>(network[1], tokens, head.after.data(), pad, head.g_out.data(), width, weight_gradient_);
  T* g_hidden = reserve(arrays_.g_hidden, pad);
  linear_backward<A>(c_.weights, network[1], tokens, head.g_out.data(), width, 0, g_hidden, pad);
  activate_backward<A>(tokens, pad, 1, head.before.data(), g_hidden, g_hidden);
  linear_weight_gradient<A>(network[0], tokens, arrays_.y.data(), pad, g_hidden, pad, weight_gradient_);
  linear_backward<A>(c_.weights, network[0], tokens, g_hidden, pad, 1, arrays_.g_y.data(), pad);
}

template <class A>
void TransipPass<A>::copy(const T* from, T* to) {
  for_each("isotrope::transip_copy", graph_.tokens * c_.plan->pad * A::rows, Copy<T>{from, to});
}

template <class A>
void TransipPass<A>::norm(std::size_t gain, const Buffer<T>& x, Buffer<T>& y) {
  const int pad = c_.plan->pad;
  rms_norm<A>(graph_.tokens, c_.shape->width, pad, c_.weights + gain, x.data(), reserve(y, pad));
}

/// g += the adjoint of x, from g_y.
template <class A>
void TransipPass<A>::norm_backward(std::size_t gain, const Buffer<T>& x) {
  rms_norm_backward<A>(graph_.tokens, c_.shape->width, c_.plan->pad, c_.weights + gain, x.data(), arrays_.g_y.data(),
                       arrays_.g.data(), gradient_at(gain));
}

template class TransipPass<Plain<float>>;
template class TransipPass<Plain<double>>;
template class TransipPass<WithTangent<float>>;
template class TransipPass<WithTangent<double>>;

}  // namespace isotrope
