// SPDX-License-Identifier: MIT
#include "models/nequip_pass.hpp"

#include "layers/channels.hpp"
#include "layers/feature_exchange.hpp"
#include "layers/readout.hpp"
#include "layers/species_embedding.hpp"

namespace isotrope {

template <class A>
NequipPass<A>::NequipPass(const Constants& constants, DeviceGraph& graph, Halo& halo, NequipArrays<A>& arrays,
                          T* weight_gradient, double* frequency_gradient)
    : c_(constants),
      graph_(graph),
      halo_(halo),
      arrays_(arrays),
      edges_(c_.edges, graph, arrays.edges, A::dual ? 0 : arrays.block, A::dual),
      weight_gradient_(weight_gradient),
      frequency_gradient_(frequency_gradient) {
  arrays_.layers.resize(c_.shape->layers());
}

template <class A>
void NequipPass<A>::forward() {
  edges_.embed();
  embed_atoms();
  for (int t = 0; t < c_.shape->layers(); ++t) interact(t);
  read_out();
}

template <class A>
void NequipPass<A>::backward() {
  seed_energies<A>(graph_, c_.scale, arrays_.seed.reserve(graph_.rows));
  edges_.start_backward();
  read_out_backward();
  for (int t = c_.shape->layers() - 1; t >= 0; --t) interact_backward(t);
  edges_.finish_backward();
  if constexpr (A::dual) {
    frequency_gradient<T>(c_.edges.basis, graph_.edges, graph_.r.data(), graph_.dr.data(),
                          arrays_.edges.g_radial.data(), frequency_gradient_);
  }
}

template <class A>
Features<A> NequipPass<A>::input_of(int t) {
  const bool end = t == c_.shape->layers();
  Buffer<T>& kept = end ? arrays_.out : arrays_.layers[t].in;
  return features(A::dual ? kept : arrays_.h[t % 2], end ? last() : c_.plan->layers[t].in, graph_.rows);
}

template <class A>
Features<A> NequipPass<A>::messages(int t, const RowRange& block) {
  return features(A::dual ? arrays_.layers[t].mid : arrays_.mid, c_.plan->layers[t].convolution->out, block.count());
}

/// The first layer's features depend on the species alone: a table, expanded to atoms only where it is read.
template <class A>
void NequipPass<A>::embed_atoms() {
  const Features<A> table = features(arrays_.table, c_.plan->embedding, c_.shape->species);
  species_table<A>(c_.weights + c_.plan->embedding_at, table);
  if (!c_.plan->layers[0].self.empty()) expand_species<A>(graph_, table, input_of(0));
}

template <class A>
void NequipPass<A>::interact(int t) {
  const NequipLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  sender_features(t);
  const Features<A> up = features(arrays.up, layer.in, graph_.senders);
  const Features<A> gate_in = features(arrays.gate_in, layer.gate.in, graph_.rows);
  for (const RowRange& block : edges_.blocks()) {
    const Features<A> mid = messages(t, block);
    edges_.convolve(t, block, up, mid);
    linear_2_forward(t, block, mid, gate_in);
  }
  if (layer.bias_2 != WeightPlan::none) {
    add_bias<A>(graph_.rows, gate_in.layout.block[0].pad, c_.weights + layer.bias_2, gate_in.start(0));
  }
  if (!layer.self.empty()) self_forward(t, input_of(t), gate_in);
  irreps_gate_forward<A>(layer.gate, gate_in, input_of(t + 1));
}

/// From the adjoint of the layer's output, g_out, to that of its input, which takes its place.
template <class A>
void NequipPass<A>::interact_backward(int t) {
  const NequipLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const Features<A> g_gate = features(arrays_.g_gate, layer.gate.in, graph_.rows);
  irreps_gate_backward<A>(layer.gate, features(arrays.gate_in, layer.gate.in, graph_.rows),
                          features(arrays_.g_out, layer.gate.out, graph_.rows), g_gate);
  if (A::dual && layer.bias_2 != WeightPlan::none) {
    add_bias_gradient<A>(graph_.rows, g_gate.layout.block[0].pad, g_gate.start(0), weight_gradient_ + layer.bias_2);
  }
  const Features<A> up = features(arrays.up, layer.in, graph_.senders);
  Features<A> g_up;
  if (sender_gradient_wanted(t)) g_up = zero_features<A>(arrays_.g_up, layer.in, graph_.senders);
  for (const RowRange& block : edges_.blocks()) {
    const Features<A> g_mid = features(arrays_.g_mid, layer.convolution->out, block.count());
    linear_2_backward(t, block, messages(t, block), g_gate, g_mid);
    edges_.convolve_backward(t, block, up, g_mid, g_up, weight_gradient_);
  }
  if (t > 0) {
    sender_features_backward(t);
  } else if constexpr (A::dual) {
    element_features_backward();
  }
}

template <class A>
void NequipPass<A>::linear_2_forward(int t, const RowRange& block, const Features<A>& mid, const Features<A>& y) {
  for (int b = 0; b < y.layout.count; ++b) {
    linear_forward<A>(c_.weights, c_.plan->layers[t].linear_2[b],
                      static_cast<long>(block.count()) * (2 * y.layout.block[b].l + 1), mid.start(b),
                      mid.layout.block[b].pad, 0, y.at(b, block.begin, 0), y.layout.block[b].pad);
  }
}

template <class A>
void NequipPass<A>::linear_2_backward(int t, const RowRange& block, const Features<A>& mid, const Features<A>& g_y,
                                      const Features<A>& g_mid) {
  const NequipLayer& layer = c_.plan->layers[t];
  for (int b = 0; b < g_y.layout.count; ++b) {
    const long n = static_cast<long>(block.count()) * (2 * g_y.layout.block[b].l + 1);
    const int pad = g_y.layout.block[b].pad, mid_pad = mid.layout.block[b].pad;
    const T* g = g_y.at(b, block.begin, 0);
    linear_weight_gradient<A>(layer.linear_2[b], n, mid.start(b), mid_pad, g, pad, weight_gradient_);
    linear_backward<A>(c_.weights, layer.linear_2[b], n, g, pad, 0, g_mid.start(b), mid_pad);
  }
}

/// Weights per element act on consecutive rows, which are sorted by species.
template <class A>
void NequipPass<A>::self_forward(int t, const Features<A>& h, const Features<A>& y) {
  for (const NequipLayer::Self& self : c_.plan->layers[t].self) {
    const int components = 2 * h.layout.block[self.in].l + 1;
    const bool shared = self.matrix.size() == 1;
    for (std::size_t s = 0; s < self.matrix.size(); ++s) {
      const int begin = shared ? 0 : graph_.segment[s], end = shared ? graph_.rows : graph_.segment[s + 1];
      linear_forward<A>(c_.weights, self.matrix[s], static_cast<long>(end - begin) * components,
                        h.at(self.in, begin, 0), h.layout.block[self.in].pad, 1, y.at(self.out, begin, 0),
                        y.layout.block[self.out].pad);
    }
  }
}

template <class A>
void NequipPass<A>::self_backward(int t, const Features<A>& h, const Features<A>& g_y, const Features<A>& g_h) {
  for (const NequipLayer::Self& self : c_.plan->layers[t].self) {
    const int components = 2 * h.layout.block[self.in].l + 1;
    const int pad = h.layout.block[self.in].pad, y_pad = g_y.layout.block[self.out].pad;
    const bool shared = self.matrix.size() == 1;
    for (std::size_t s = 0; s < self.matrix.size(); ++s) {
      const int begin = shared ? 0 : graph_.segment[s], end = shared ? graph_.rows : graph_.segment[s + 1];
      const long n = static_cast<long>(end - begin) * components;
      linear_weight_gradient<A>(self.matrix[s], n, h.at(self.in, begin, 0), pad, g_y.at(self.out, begin, 0), y_pad,
                                weight_gradient_);
      linear_backward<A>(c_.weights, self.matrix[s], n, g_y.at(self.out, begin, 0), y_pad, 1, g_h.at(self.in, begin, 0),
                         pad);
    }
  }
}

/// What neighbours read: linear_1 of the features, also on ghosts.
template <class A>
void NequipPass<A>::sender_features(int t) {
  const NequipLayer& layer = c_.plan->layers[t];
  const bool first = t == 0;
  const long n = first ? c_.shape->species : graph_.rows;
  const Features<A> from = first ? features(arrays_.table, layer.in, n) : input_of(t);
  const Features<A> up = features(arrays_.layers[t].up, layer.in, graph_.senders);
  const Features<A> to = first ? features(arrays_.table_up, layer.in, n) : up;
  for (int b = 0; b < from.layout.count; ++b) {
    const int pad = from.layout.block[b].pad;
    linear_forward<A>(c_.weights, layer.linear_1[b], n * (2 * from.layout.block[b].l + 1), from.start(b), pad, 0,
                      to.start(b), pad);
  }
  if (layer.bias_1 != WeightPlan::none) {
    add_bias<A>(n, to.layout.block[0].pad, c_.weights + layer.bias_1, to.start(0));
  }
  if (first) {
    expand_species<A>(graph_, to, up);
  } else if constexpr (!A::dual) {
    FeatureExchange<T> exchange(graph_, up);
    halo_.forward(exchange);
  }
}

template <class A>
void NequipPass<A>::sender_features_backward(int t) {
  const NequipLayer& layer = c_.plan->layers[t];
  const Features<A> g_up = features(arrays_.g_up, layer.in, graph_.senders);
  if constexpr (!A::dual) {
    FeatureExchange<T> exchange(graph_, g_up);
    halo_.reverse(exchange);
  }
  const Features<A> in = input_of(t), g_in = features(arrays_.g_in, layer.in, graph_.rows);
  for (int b = 0; b < in.layout.count; ++b) {
    const int pad = in.layout.block[b].pad;
    const long n = static_cast<long>(graph_.rows) * (2 * in.layout.block[b].l + 1);
    linear_weight_gradient<A>(layer.linear_1[b], n, in.start(b), pad, g_up.start(b), pad, weight_gradient_);
    linear_backward<A>(c_.weights, layer.linear_1[b], n, g_up.start(b), pad, 0, g_in.start(b), pad);
  }
  if (A::dual && layer.bias_1 != WeightPlan::none) {
    add_bias_gradient<A>(graph_.rows, in.layout.block[0].pad, g_up.start(0), weight_gradient_ + layer.bias_1);
  }
  self_backward(t, in, features(arrays_.g_gate, layer.gate.in, graph_.rows), g_in);
  std::swap(arrays_.g_out, arrays_.g_in);
}

/// The first layer, for the gradient of the weights: its input is a table of the species.
template <class A>
void NequipPass<A>::element_features_backward() {
  const NequipLayer& layer = c_.plan->layers[0];
  const long species = c_.shape->species;
  const int pad = layer.in.block[0].pad;
  const Features<A> table = features(arrays_.table, layer.in, species);
  const Features<A> g_table = features(arrays_.g_table, layer.in, species);
  const Features<A> g_table_up = features(arrays_.g_table_up, layer.in, species);
  expand_species_backward<A>(graph_, features(arrays_.g_up, layer.in, graph_.senders), g_table_up);
  linear_weight_gradient<A>(layer.linear_1[0], species, table.data, pad, g_table_up.data, pad, weight_gradient_);
  if (layer.bias_1 != WeightPlan::none) {
    add_bias_gradient<A>(species, pad, g_table_up.data, weight_gradient_ + layer.bias_1);
  }
  linear_backward<A>(c_.weights, layer.linear_1[0], species, g_table_up.data, pad, 0, g_table.data, pad);
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
  if (layer.self.empty()) return;
  const Features<A> g_in = zero_features<A>(arrays_.g_in, layer.in, graph_.rows);
  self_backward(0, input_of(0), features(arrays_.g_gate, layer.gate.in, graph_.rows), g_in);
  expand_species_backward<A>(graph_, g_in, g_table);
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
}

template <class A>
void NequipPass<A>::read_out() {
  const std::vector<Matrix>& readout = c_.plan->readout;
  const Features<A> h = input_of(c_.shape->layers());
  const int hidden = readout[0].out, width = readout[1].out;
  T* x = arrays_.readout_hidden.reserve(graph_.rows * hidden * A::rows);
  linear_forward<A>(c_.weights, readout[0], graph_.rows, h.start(0), h.layout.block[0].pad, 0, x, hidden);
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    T* y = arrays_.readout.reserve(graph_.rows * width);
    linear_forward<A>(c_.weights, readout[1], graph_.rows, x, hidden, 0, y, width);
    arrays_.energy.zeros(graph_.rows);
    add_column<T>(graph_.rows, y, width, arrays_.energy.data());
  }
}

template <class A>
void NequipPass<A>::read_out_backward() {
  const std::vector<Matrix>& readout = c_.plan->readout;
  const Features<A> h = input_of(c_.shape->layers()), g_h = features(arrays_.g_out, last(), graph_.rows);
  const int hidden = readout[0].out, width = readout[1].out, pad = h.layout.block[0].pad;
  T* g = arrays_.g_readout.reserve(graph_.rows * width * A::rows);
  T* g_hidden = arrays_.g_readout_hidden.reserve(graph_.rows * hidden * A::rows);
  seed_column<A>(graph_.rows, arrays_.seed.data(), width, g);
  linear_weight_gradient<A>(readout[1], graph_.rows, arrays_.readout_hidden.data(), hidden, g, width, weight_gradient_);
  linear_backward<A>(c_.weights, readout[1], graph_.rows, g, width, 0, g_hidden, hidden);
  linear_weight_gradient<A>(readout[0], graph_.rows, h.start(0), pad, g_hidden, hidden, weight_gradient_);
  linear_backward<A>(c_.weights, readout[0], graph_.rows, g_hidden, hidden, 0, g_h.start(0), pad);
}

template class NequipPass<Plain<float>>;
template class NequipPass<Plain<double>>;
template class NequipPass<WithTangent<float>>;
template class NequipPass<WithTangent<double>>;

}  // namespace isotrope
