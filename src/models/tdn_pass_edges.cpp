// SPDX-License-Identifier: MIT
// The part of TdnPass that streams over edges, chunk by chunk of receivers.
#include <algorithm>

#include "layers/channels.hpp"
#include "layers/edge_embedding.hpp"
#include "layers/feature_exchange.hpp"
#include "models/tdn_pass.hpp"

namespace isotrope {

/// Messages, what the linear layers make of them, and radial weights exist for one chunk of receivers at a time. What
/// the linear layers made is kept for the adjoint where all of it fits into a bound; else it is computed again.
template <class A>
void TdnPass<A>::split_into_chunks() {
  const long per_edge = static_cast<long>(2 * d_ + 4) * pad_;
  const bool networks = arrays_.radial.paired && !arrays_.radial.slopes;
  const long most_edges = std::max<long>(1, arrays_.chunk_numbers / per_edge);
  arrays_.kept = purpose_.backward && (arrays_.radial.paired || tabulated()) &&
                 kept_numbers(A::rows, networks) <= arrays_.most_kept;
  arrays_.values_there = arrays_.values_there && arrays_.kept;
  arrays_.chunks.clear();
  int begin = 0;
  while (begin < graph_.rows) {
    int end = begin + 1;
    while (end < graph_.rows && graph_.host_first[end + 1] - graph_.host_first[begin] <= most_edges) ++end;
    arrays_.chunks.push_back({begin, end, graph_.host_first[begin], graph_.host_first[end]});
    begin = end;
  }
}

/// Of all edges and layers, with `rows` numbers for each (2 with a tangent).
template <class A>
long TdnPass<A>::kept_numbers(int rows, bool networks) const {
  long per_edge = static_cast<long>(d_ + 3) * pad_;
  for (const auto& layer : c_.plan->degree_radial.hidden) per_edge += networks ? 2 * layer.linear.out : 0;
  return graph_.edges * per_edge * rows * (c_.shape->layers + (purpose_.direct ? 1 : 0));
}

/// The bounds are those by which the dual pass decides, and the values of adjoints come on top.
template <class A>
bool TdnPass<A>::leave_values_to(TdnArrays<WithTangent<T>>& duals) {
  if (A::dual || !purpose_.edges || purpose_.direct) return false;
  const long adjoints = graph_.edges * d_ * pad_ * c_.shape->layers;
  const long paired = graph_.edges * (c_.plan->gaussians.pad + pad_) * 2;
  if (std::max(paired, kept_numbers(2, true) + adjoints) > duals.most_kept) return false;
  duals.blocks.resize(c_.shape->layers);
  duals.chunk_numbers = arrays_.chunk_numbers;  // the order of components is that of a chunk
  duals_ = &duals;
  return true;
}

template <class A>
AttentionShape TdnPass<A>::block_shape(int t) const {
  const TdnShape& s = *c_.shape;
  return {s.channels, pad_, s.heads, d_, 0, scalars_only(t) ? 1 : d_, s.logit_bound, s.smooth()};
}

template <class A>
AttentionShape TdnPass<A>::force_shape() const {
  const TdnShape& s = *c_.shape;
  return {s.channels, pad_, s.heads, d_, 1, 4, s.logit_bound, s.smooth()};
}

template <class A>
AttentionEdges<A> TdnPass<A>::edges_of(const Chunk& chunk) {
  AttentionEdges<A> e;
  e.row_begin = chunk.row_begin;
  e.row_end = chunk.row_end;
  e.edge_begin = chunk.edge_begin;
  e.edges = chunk.edge_end - chunk.edge_begin;
  e.first = graph_.first.data();
  e.sender = graph_.sender.data();
  e.receiver = graph_.receiver.data();
  e.couplings = arrays_.couplings.data();
  e.envelope = c_.shape->smooth() ? arrays_.envelope.data() : nullptr;
  return e;
}

/// With the chunk's places in the arrays of an attention layer.
template <class A>
AttentionEdges<A> TdnPass<A>::edges_of(Attention& arrays, const AttentionShape& shape, const Chunk& chunk) {
  AttentionEdges<A> e = edges_of(chunk);
  const long all = arrays_.kept ? graph_.edges : e.edges, start = arrays_.kept ? chunk.edge_begin : 0;
  const long row = static_cast<long>(pad_) * A::rows, heads = shape.heads, m = shape.message_components();
  place_radial(arrays.radial, all, start, e);
  e.scalars = arrays.scalars.reserve(all * 3 * row) + start * 3 * row;
  e.vectors = arrays.vectors.reserve(all * (m - 1) * row) + start * (m - 1) * row;
  e.message = arrays_.message.reserve(e.edges * m * row);
  e.logit = arrays.logit.reserve(graph_.edges * heads) + chunk.edge_begin * heads;
  e.weight = arrays.weight.reserve(graph_.edges * heads) + chunk.edge_begin * heads;
  return e;
}

template <class A>
AttentionAdjoint<A> TdnPass<A>::adjoint_of(const AttentionShape& shape, const AttentionEdges<A>& e) {
  const long row = static_cast<long>(pad_) * A::rows;
  AttentionAdjoint<A> adjoint;
  adjoint.scalars = arrays_.g_scalars.reserve(e.edges * 3 * row);
  adjoint.vectors = arrays_.g_vectors.reserve(e.edges * (shape.message_components() - 1) * row);
  adjoint.radial = arrays_.g_radial.reserve(e.edges * row);
  adjoint.weight = arrays_.g_weight.reserve(e.edges * c_.shape->heads);
  adjoint.couplings = purpose_.edges ? arrays_.g_couplings.data() : nullptr;
  adjoint.envelope = purpose_.edges ? arrays_.g_envelope.data() : nullptr;
  return adjoint;
}

template <class A>
AttentionWeights<typename A::Real> TdnPass<A>::attention_weights_of(const TdnAttention& w) const {
  return {c_.weights + w.wide.bias, c_.weights + w.score, c_.weights + w.self_logit};
}

template <class A>
AttentionGradients<typename A::Real> TdnPass<A>::attention_gradients_of(const TdnAttention& w) const {
  return {place(w.wide.bias), place(w.score), place(w.self_logit)};
}

/// What neighbours read, also on ghosts.
template <class A>
void TdnPass<A>::sender_features(const TdnAttention& w, Attention& arrays, const Features<A>& x) {
  const Features<A> source = features(arrays.source, c_.plan->features, graph_.senders);
  const Features<A> target = features(arrays.target, c_.plan->features, graph_.rows);
  for (int l = 0; l < x.layout.count; ++l) {
    const long rows = static_cast<long>(graph_.rows) * (2 * l + 1);
    linear_forward<A>(c_.weights, w.source.matrix, rows, x.start(l), pad_, 0, source.start(l), pad_);
    linear_forward<A>(c_.weights, w.target, rows, x.start(l), pad_, 0, target.start(l), pad_);
  }
  add_bias<A>(graph_.rows, pad_, c_.weights + w.source.bias, source.data);
  if constexpr (!A::dual) forward_features<T>(halo_, graph_, source);
}

template <class A>
void TdnPass<A>::sender_features_backward(const TdnAttention& w, const Features<A>& x, const Features<A>& g_x) {
  const Features<A> g_source = features(arrays_.g_source, c_.plan->features, graph_.senders);
  const Features<A> g_target = features(arrays_.g_target, c_.plan->features, graph_.rows);
  if constexpr (!A::dual) reverse_features<T>(halo_, graph_, g_source);
  add_bias_gradient<A>(graph_.rows, pad_, g_source.data, place(w.source.bias));
  for (int l = 0; l < x.layout.count; ++l) {
    const long rows = static_cast<long>(graph_.rows) * (2 * l + 1);
    linear_weight_gradient<A>(w.source.matrix, rows, x.start(l), pad_, g_source.start(l), pad_, weight_gradient_);
    linear_weight_gradient<A>(w.target, rows, x.start(l), pad_, g_target.start(l), pad_, weight_gradient_);
    linear_backward<A>(c_.weights, w.source.matrix, rows, g_source.start(l), pad_, 1, g_x.start(l), pad_);
    linear_backward<A>(c_.weights, w.target, rows, g_target.start(l), pad_, 1, g_x.start(l), pad_);
  }
}

template <class A>
void TdnPass<A>::attention(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                           const Features<A>& x, const Features<A>& out) {
  sender_features(w, arrays, x);
  radial_weights(w.radial, table, arrays.radial);
  pack_wide(w.wide);
  for (const Chunk& chunk : arrays_.chunks) {
    const AttentionEdges<A> e = edges_of(arrays, shape, chunk);
    edges_forward(w, arrays, table, shape, e);
    attention_weights<A>(shape, e, attention_weights_of(w));
    attend<A>(shape, e, attention_weights_of(w), out);
  }
}

/// The linear layers of messages, which every chunk reads.
template <class A>
void TdnPass<A>::pack_wide(const WideMatrix& wide) {
  pack_forward<T>(c_.weights, wide.scalars, arrays_.wide_scalars);
  pack_forward<T>(c_.weights, wide.vectors, arrays_.wide_vectors);
}
template <class A>
void TdnPass<A>::pack_wide_backward(const WideMatrix& wide) {
  pack_backward<T>(c_.weights, wide.scalars, arrays_.wide_scalars_back);
  pack_backward<T>(c_.weights, wide.vectors, arrays_.wide_vectors_back);
}

/// Radial weights, messages and their linear layers.
template <class A>
void TdnPass<A>::edges_forward(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                               const AttentionEdges<A>& e) {
  chunk_radial_weights(w.radial, table, e);
  edge_messages<A>(shape, e, features(arrays.source, c_.plan->features, graph_.senders),
                   features(arrays.target, c_.plan->features, graph_.rows));
  wide_forward(shape, e);
  leave_values(table, shape, e);
}

/// The linear layers of messages; of duals whose values are there the tangents.
template <class A>
void TdnPass<A>::wide_forward(const AttentionShape& shape, const AttentionEdges<A>& e) {
  const long vectors = e.edges * (shape.message_components() - 1);
  const bool tangents = A::dual && arrays_.values_there;
  linear_packed<A>(arrays_.wide_scalars, e.edges, e.message, pad_, e.scalars, 3 * pad_, tangents);
  linear_packed<A>(arrays_.wide_vectors, vectors, e.message + e.edges * pad_ * A::rows, pad_, e.vectors, pad_,
                   tangents);
}

/// From the adjoints of their outputs to those of the messages.
template <class A>
void TdnPass<A>::wide_backward([[maybe_unused]] const Attention& arrays, const AttentionShape& shape,
                               const AttentionEdges<A>& e, const AttentionAdjoint<A>& adjoint) {
  const int m = shape.message_components();
  const bool tangents = A::dual && arrays_.values_there;
  if constexpr (A::dual) {
    if (tangents) set_values<T>(e.edges * m, pad_, arrays.g_message.data() + e.edge_begin * m * pad_, e.message);
  }
  linear_packed<A>(arrays_.wide_scalars_back, e.edges, adjoint.scalars, 3 * pad_, e.message, pad_, tangents);
  linear_packed<A>(arrays_.wide_vectors_back, e.edges * (m - 1), adjoint.vectors, pad_,
                   e.message + e.edges * pad_ * A::rows, pad_, tangents);
}

/// What the linear layers made of a chunk, for the dual pass.
template <class A>
void TdnPass<A>::leave_values(int table, const AttentionShape& shape, const AttentionEdges<A>& e) {
  if (!duals_) return;
  auto& to = duals_->blocks[table - 1].attention;
  const long width = shape.message_components() - 1, begin = e.edge_begin * 2 * pad_;
  set_values<T>(e.edges, 3 * pad_, e.scalars, to.scalars.reserve(graph_.edges * 6 * pad_) + 3 * begin);
  set_values<T>(e.edges * width, pad_, e.vectors, to.vectors.reserve(graph_.edges * width * 2 * pad_) + width * begin);
}
template <class A>
void TdnPass<A>::leave_adjoints(int table, const AttentionShape& shape, const AttentionEdges<A>& e) {
  if (!duals_) return;
  const long width = static_cast<long>(shape.message_components()) * pad_;
  Buffer<T>& to = duals_->blocks[table - 1].attention.g_message;
  copy_numbers<T>(e.edges * width, e.message, to.reserve(graph_.edges * width) + e.edge_begin * width);
}

template <class A>
void TdnPass<A>::attention_backward(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                                    const Features<A>& x, const Features<A>& g_out, const Features<A>& g_x) {
  const Features<A> source = features(arrays.source, c_.plan->features, graph_.senders);
  const Features<A> target = features(arrays.target, c_.plan->features, graph_.rows);
  const Features<A> g_source = zero_features<A>(arrays_.g_source, c_.plan->features, graph_.senders);
  const Features<A> g_target = zero_features<A>(arrays_.g_target, c_.plan->features, graph_.rows);
  const int m = shape.message_components();
  begin_radial_backward(w.radial, table, arrays.radial);
  pack_wide_backward(w.wide);
  if (!arrays_.kept) pack_wide(w.wide);
  for (const Chunk& chunk : arrays_.chunks) {
    const AttentionEdges<A> e = edges_of(arrays, shape, chunk);
    const AttentionAdjoint<A> adjoint = adjoint_of(shape, e);
    recompute(w, arrays, table, shape, e);
    attend_backward<A>(shape, e, attention_weights_of(w), g_out, adjoint, attention_gradients_of(w));
    if (weight_gradient_) wide_weight_gradient(w.wide, e.edges, e.message, adjoint.scalars, adjoint.vectors, m);
    wide_backward(arrays, shape, e, adjoint);
    leave_adjoints(table, shape, e);
    edge_messages_backward<A>(shape, e, source, target, adjoint, g_source, g_target);
    chunk_radial_backward(w.radial, table, e);
  }
  end_radial_backward(w.radial, table);
  sender_features_backward(w, x, g_x);
}

/// What forward had of the chunk and backward reads: all of it where nothing was kept, else for gradients of weights
/// the messages.
template <class A>
void TdnPass<A>::recompute(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                           const AttentionEdges<A>& e) {
  if (!arrays_.kept) return edges_forward(w, arrays, table, shape, e);
  if (weight_gradient_) {
    edge_messages<A>(shape, e, features(arrays.source, c_.plan->features, graph_.senders),
                     features(arrays.target, c_.plan->features, graph_.rows));
  }
}

/// From the adjoints of matrices, envelopes and lengths to dE/dr.
template <class A>
void TdnPass<A>::edges_backward() {
  if constexpr (!A::dual) {
    const TdnShape& s = *c_.shape;
    const Envelope end = Envelope::polynomial(s.cutoff_power, s.cutoff);
    T* g_harmonics = arrays_.g_harmonics.reserve(graph_.edges * d_);
    c_.product->template contract_backward<T>(graph_.edges, arrays_.g_couplings.data(), g_harmonics);
    if (s.smooth()) {
      edge_envelope_backward(end, graph_.edges, arrays_.length.data(), arrays_.g_envelope.data(),
                             arrays_.g_length.data());
    }
    embed_edges_backward<T>({0, end}, {s.l_max}, graph_.edges, graph_.r.data(), nullptr, g_harmonics,
                            arrays_.g_length.data(), arrays_.g_r.reserve(3 * graph_.edges));
  }
}

template class TdnPass<Plain<float>>;
template class TdnPass<Plain<double>>;
template class TdnPass<WithTangent<float>>;
template class TdnPass<WithTangent<double>>;

}  // namespace isotrope
