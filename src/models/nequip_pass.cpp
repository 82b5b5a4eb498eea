// SPDX-License-Identifier: MIT
#include "models/nequip_pass.hpp"

#include <algorithm>

#include "layers/channels.hpp"
#include "layers/feature_exchange.hpp"
#include "layers/ghost_rows.hpp"
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
  species_table<A>(c_.weights + c_.plan->embedding_at, features(arrays_.table, c_.plan->embedding, c_.shape->species));
  for (int t = 0; t <= last(); ++t) interact(t);
  arrays_.energy.zeros(graph_.rows);
  for (const RowRange& block : edges_.blocks()) read_out(block);
}

template <class A>
void NequipPass<A>::backward() {
  seed_energies<A>(graph_, c_.scale, arrays_.seed.reserve(graph_.rows));
  edges_.start_backward();
  for (const RowRange& block : edges_.blocks()) read_out_backward(block);
  for (int t = last(); t >= 0; --t) interact_backward(t);
  edges_.finish_backward();
  if constexpr (A::dual) {
    frequency_gradient<T>(c_.edges.basis, graph_.edges, graph_.r.data(), graph_.dr.data(),
                          arrays_.edges.g_radial.data(), frequency_gradient_);
  }
}

/// What a layer keeps. The rows of a block lie together, so that they are features by themselves.
template <class A>
Features<A> NequipPass<A>::gate(int t, const RowRange& block) {
  const Layout& layout = c_.plan->layers[t].gate.in;
  T* all = arrays_.layers[t].gate.reserve(layout.width * graph_.rows * A::rows);
  return {all + layout.width * block.begin * A::rows, block.count(), layout};
}

/// Features that layer t reads, or the readout for t = layers: from what the layer before keeps. Those of the first
/// layer depend on the species alone.
template <class A>
Features<A> NequipPass<A>::input_of(int t, const RowRange& block) {
  const Features<A> h = features(arrays_.h, input_layout(t), block.count());
  if (t == 0) {
    expand_species<A>(graph_, features(arrays_.table, h.layout, c_.shape->species), h, block.begin);
  } else {
    irreps_gate_forward<A>(c_.plan->layers[t - 1].gate, gate(t - 1, block), h);
  }
  return h;
}

template <class A>
void NequipPass<A>::interact(int t) {
  const NequipLayer& layer = c_.plan->layers[t];
  show_features(t);
  for (const RowRange& block : edges_.blocks()) {
    const Features<A> mid = messages(t, block), y = gate(t, block);
    edges_.convolve(t, block, {shown(t)}, mid);
    linear_2_forward(t, mid, y);
    if (layer.bias_2 != WeightPlan::none) {
      add_bias<A>(y.atoms, y.layout.block[0].pad, c_.weights + layer.bias_2, y.start(0));
    }
    if (!layer.self.empty()) self_forward(t, block, input_of(t, block), y);
  }
}

/// From the adjoint of the layer's gate to that of the gate before. What senders showed is made again, but for the last
/// layer, whose features are still there, and for duals, which keep them.
template <class A>
void NequipPass<A>::interact_backward(int t) {
  if (!A::dual && t < last()) show_features_again(t);
  Features<A> g_up;
  if (t > 0 || A::dual) g_up = zero_features<A>(arrays_.g_up, c_.plan->layers[t].in, graph_.senders);
  for (const RowRange& block : edges_.blocks()) {
    const Features<A> g_mid = features(arrays_.g_mid, c_.plan->layers[t].convolution->out, block.count());
    linear_2_backward(t, messages(t, block), gate(t, block), g_mid);
    edges_.convolve_backward(t, block, {shown(t)}, g_mid, g_up, weight_gradient_);
  }
  if (t == 0) {
    if constexpr (A::dual) element_features_backward();
    return;
  }
  if constexpr (!A::dual) reverse_features<T>(halo_, graph_, g_up);
  for (const RowRange& block : edges_.blocks()) input_backward(t, block);
}

/// What neighbours read: linear_1 of the features, also on ghosts. What these show is kept for the way back.
template <class A>
void NequipPass<A>::show_features(int t) {
  features_of_senders(t);
  if constexpr (!A::dual) {
    if (t == 0) return;
    forward_features<T>(halo_, graph_, shown(t));
    if (t < last()) keep_ghosts(graph_, shown(t), arrays_.layers[t].ghosts);
  }
}

template <class A>
void NequipPass<A>::show_features_again(int t) {
  features_of_senders(t);
  if (t > 0) show_kept_ghosts(graph_, arrays_.layers[t].ghosts, shown(t));
}

/// Those of the first layer depend on the species alone, which is known of ghosts too.
template <class A>
void NequipPass<A>::features_of_senders(int t) {
  const Features<A> up = shown(t);
  if (t > 0) {
    for (const RowRange& block : edges_.blocks()) linear_1_forward(t, input_of(t, block), up, block.begin);
    return;
  }
  const Features<A> table_up = features(arrays_.table_up, up.layout, c_.shape->species);
  linear_1_forward(t, features(arrays_.table, up.layout, c_.shape->species), table_up, 0);
  expand_species<A>(graph_, table_up, up);
}

/// The adjoint of a block of the layer's input: by way of what neighbours read, and of the self connection.
template <class A>
void NequipPass<A>::input_backward(int t, const RowRange& block) {
  const NequipLayer& layer = c_.plan->layers[t];
  const Features<A> g_h = features(arrays_.g_h, layer.in, block.count());
  Features<A> h{nullptr, block.count(), layer.in};  // read for the weights' gradient alone
  if (weight_gradient_) h = input_of(t, block);
  linear_1_backward(t, h, features(arrays_.g_up, layer.in, graph_.senders), block.begin, g_h);
  self_backward(t, block, h, gate(t, block), g_h);
  output_backward(t - 1, block, g_h);
}

/// From the adjoint of a block of the layer's output to that of its gate's input, which takes its place.
template <class A>
void NequipPass<A>::output_backward(int t, const RowRange& block, const Features<A>& g_h) {
  const NequipLayer& layer = c_.plan->layers[t];
  const Features<A> x = gate(t, block);
  irreps_gate_backward<A>(layer.gate, x, g_h, x);
  if (A::dual && layer.bias_2 != WeightPlan::none) {
    add_bias_gradient<A>(x.atoms, x.layout.block[0].pad, x.start(0), weight_gradient_ + layer.bias_2);
  }
}

/// From `h` to the rows of `up` from `begin` on.
template <class A>
void NequipPass<A>::linear_1_forward(int t, const Features<A>& h, const Features<A>& up, int begin) {
  const NequipLayer& layer = c_.plan->layers[t];
  for (int b = 0; b < h.layout.count; ++b) {
    const int pad = h.layout.block[b].pad;
    linear_forward<A>(c_.weights, layer.linear_1[b], h.atoms * (2 * h.layout.block[b].l + 1), h.start(b), pad, 0,
                      up.at(b, begin, 0), pad);
  }
  if (layer.bias_1 != WeightPlan::none) {
    add_bias<A>(h.atoms, up.layout.block[0].pad, c_.weights + layer.bias_1, up.at(0, begin, 0));
  }
}

/// Writes g_h.
template <class A>
void NequipPass<A>::linear_1_backward(int t, const Features<A>& h, const Features<A>& g_up, int begin,
                                      const Features<A>& g_h) {
  const NequipLayer& layer = c_.plan->layers[t];
  for (int b = 0; b < h.layout.count; ++b) {
    const int pad = h.layout.block[b].pad;
    const long n = h.atoms * (2 * h.layout.block[b].l + 1);
    const T* g = g_up.at(b, begin, 0);
    if (weight_gradient_) {
      linear_weight_gradient<A>(layer.linear_1[b], n, h.start(b), pad, g, pad, weight_gradient_);
    }
    linear_backward<A>(c_.weights, layer.linear_1[b], n, g, pad, 0, g_h.start(b), pad);
  }
  if (A::dual && layer.bias_1 != WeightPlan::none) {
    add_bias_gradient<A>(h.atoms, h.layout.block[0].pad, g_up.at(0, begin, 0), weight_gradient_ + layer.bias_1);
  }
}

template <class A>
void NequipPass<A>::linear_2_forward(int t, const Features<A>& mid, const Features<A>& y) {
  for (int b = 0; b < y.layout.count; ++b) {
    linear_forward<A>(c_.weights, c_.plan->layers[t].linear_2[b], y.atoms * (2 * y.layout.block[b].l + 1), mid.start(b),
                      mid.layout.block[b].pad, 0, y.start(b), y.layout.block[b].pad);
  }
}

template <class A>
void NequipPass<A>::linear_2_backward(int t, const Features<A>& mid, const Features<A>& g_y, const Features<A>& g_mid) {
  const NequipLayer& layer = c_.plan->layers[t];
  for (int b = 0; b < g_y.layout.count; ++b) {
    const long n = g_y.atoms * (2 * g_y.layout.block[b].l + 1);
    const int pad = g_y.layout.block[b].pad, mid_pad = mid.layout.block[b].pad;
    linear_weight_gradient<A>(layer.linear_2[b], n, mid.start(b), mid_pad, g_y.start(b), pad, weight_gradient_);
    linear_backward<A>(c_.weights, layer.linear_2[b], n, g_y.start(b), pad, 0, g_mid.start(b), mid_pad);
  }
}

/// Calls f(matrix, begin, end) with the rows of a block that the matrices of a self connection act on: those of a
/// species, which are consecutive, or all.
template <class F>
void for_self_rows(const NequipLayer::Self& self, const DeviceGraph& graph, const RowRange& block, const F& f) {
  if (self.matrix.size() == 1) return f(self.matrix[0], 0, block.count());
  const std::vector<int> segment = graph.segment_of(block);
  for (std::size_t s = 0; s < self.matrix.size(); ++s) {
    if (segment[s] < segment[s + 1]) f(self.matrix[s], segment[s], segment[s + 1]);
  }
}

template <class A>
void NequipPass<A>::self_forward(int t, const RowRange& block, const Features<A>& h, const Features<A>& y) {
  for (const NequipLayer::Self& self : c_.plan->layers[t].self) {
    const auto& in = h.layout.block[self.in];
    for_self_rows(self, graph_, block, [&](const Matrix& matrix, int begin, int end) {
      linear_forward<A>(c_.weights, matrix, static_cast<long>(end - begin) * (2 * in.l + 1), h.at(self.in, begin, 0),
                        in.pad, 1, y.at(self.out, begin, 0), y.layout.block[self.out].pad);
    });
  }
}

/// Adds to g_h.
template <class A>
void NequipPass<A>::self_backward(int t, const RowRange& block, const Features<A>& h, const Features<A>& g_y,
                                  const Features<A>& g_h) {
  for (const NequipLayer::Self& self : c_.plan->layers[t].self) {
    const auto& in = g_h.layout.block[self.in];
    const int pad = g_y.layout.block[self.out].pad;
    for_self_rows(self, graph_, block, [&](const Matrix& matrix, int begin, int end) {
      const long n = static_cast<long>(end - begin) * (2 * in.l + 1);
      const T* g = g_y.at(self.out, begin, 0);
      if (weight_gradient_) {
        linear_weight_gradient<A>(matrix, n, h.at(self.in, begin, 0), in.pad, g, pad, weight_gradient_);
      }
      linear_backward<A>(c_.weights, matrix, n, g, pad, 1, g_h.at(self.in, begin, 0), in.pad);
    });
  }
}

/// The first layer, for the gradient of the weights: its input is a table of the species. Duals have one block.
template <class A>
void NequipPass<A>::element_features_backward() {
  const NequipLayer& layer = c_.plan->layers[0];
  const long species = c_.shape->species;
  const Features<A> table = features(arrays_.table, layer.in, species);
  const Features<A> g_table = features(arrays_.g_table, layer.in, species);
  const Features<A> g_table_up = features(arrays_.g_table_up, layer.in, species);
  expand_species_backward<A>(graph_, features(arrays_.g_up, layer.in, graph_.senders), g_table_up);
  linear_1_backward(0, table, g_table_up, 0, g_table);
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
  if (layer.self.empty()) return;
  const RowRange all{0, graph_.rows};
  const Features<A> g_h = zero_features<A>(arrays_.g_h, layer.in, graph_.rows);
  self_backward(0, all, input_of(0, all), gate(0, all), g_h);
  expand_species_backward<A>(graph_, g_h, g_table);
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
}

template <class A>
void NequipPass<A>::read_out(const RowRange& block) {
  const std::vector<Matrix>& readout = c_.plan->readout;
  const Features<A> h = input_of(last() + 1, block);
  const int hidden = readout[0].out, width = readout[1].out;
  T* x = arrays_.readout_hidden.reserve(h.atoms * hidden * A::rows);
  linear_forward<A>(c_.weights, readout[0], h.atoms, h.start(0), h.layout.block[0].pad, 0, x, hidden);
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    T* y = arrays_.readout.reserve(h.atoms * width);
    linear_forward<A>(c_.weights, readout[1], h.atoms, x, hidden, 0, y, width);
    add_column<T>(h.atoms, y, width, arrays_.energy.data() + block.begin);
  }
}

template <class A>
void NequipPass<A>::read_out_backward(const RowRange& block) {
  const std::vector<Matrix>& readout = c_.plan->readout;
  const long n = block.count();
  const Features<A> g_h = features(arrays_.g_h, input_layout(last() + 1), n);
  const int hidden = readout[0].out, width = readout[1].out, pad = g_h.layout.block[0].pad;
  T* g = arrays_.g_readout.reserve(n * width * A::rows);
  T* g_hidden = arrays_.g_readout_hidden.reserve(n * hidden * A::rows);
  seed_column<A>(n, arrays_.seed.data() + block.begin, width, g);
  linear_backward<A>(c_.weights, readout[1], n, g, width, 0, g_hidden, hidden);
  linear_backward<A>(c_.weights, readout[0], n, g_hidden, hidden, 0, g_h.start(0), pad);
  if (weight_gradient_) {
    const Features<A> h = input_of(last() + 1, block);
    linear_weight_gradient<A>(readout[1], n, arrays_.readout_hidden.data(), hidden, g, width, weight_gradient_);
    linear_weight_gradient<A>(readout[0], n, h.start(0), pad, g_hidden, hidden, weight_gradient_);
  }
  output_backward(last(), block, g_h);
}

template class NequipPass<Plain<float>>;
template class NequipPass<Plain<double>>;
template class NequipPass<WithTangent<float>>;
template class NequipPass<WithTangent<double>>;

}  // namespace isotrope
