// SPDX-License-Identifier: MIT
#include "models/mace_pass.hpp"

#include "layers/feature_exchange.hpp"
#include "layers/readout.hpp"
#include "layers/species_embedding.hpp"

namespace isotrope {

template <class A>
MacePass<A>::MacePass(const Constants& constants, DeviceGraph& graph, Halo& halo, MaceArrays<A>& arrays,
                      T* weight_gradient)
    : c_(constants),
      graph_(graph),
      halo_(halo),
      arrays_(arrays),
      edges_(c_.edges, graph, arrays.edges),
      weight_gradient_(weight_gradient) {
  arrays_.layers.resize(c_.shape->layers);
}

template <class A>
void MacePass<A>::forward() {
  edges_.embed();
  embed_atoms();
  arrays_.energy.zeros(graph_.rows);
  for (int t = 0; t < c_.shape->layers; ++t) interact(t);
  if constexpr (!A::dual) {
    if (c_.shape->pair_energy) {
      pair_energy<T>(graph_, c_.shape->species, c_.edges.basis.count, c_.weights + c_.plan->pair,
                     arrays_.edges.radial.data(), arrays_.energy.data());
    }
    if (c_.shape->zbl) c_.zbl->add_energy(graph_, arrays_.energy.data());
  }
}

template <class A>
void MacePass<A>::backward() {
  seed_energies<A>(graph_, c_.scale, arrays_.seed.reserve(graph_.rows));
  edges_.start_backward();
  if (c_.shape->pair_energy) {
    pair_energy_backward<A>(graph_, c_.shape->species, c_.edges.basis.count, c_.weights + c_.plan->pair,
                            arrays_.edges.radial.data(), arrays_.seed.data(), arrays_.edges.g_radial.data(),
                            weight_gradient_ ? weight_gradient_ + c_.plan->pair : nullptr);
  }
  if constexpr (!A::dual) {  // it has no parameters
    if (c_.shape->zbl) c_.zbl->template backward<T>(graph_, arrays_.seed.data(), arrays_.edges.g_length.data());
  }
  const Layout& last = c_.plan->layers.back().out;
  zero_features<A>(arrays_.g_out, last, graph_.rows);
  for (int t = c_.shape->layers - 1; t >= 0; --t) interact_backward(t);
  edges_.finish_backward();
}

template <class A>
Features<A> MacePass<A>::input_of(int t) {
  if (t == c_.shape->layers) return features(arrays_.out, c_.plan->layers.back().out, graph_.rows);
  return features(arrays_.layers[t].in, c_.plan->layers[t].in, graph_.rows);
}

template <class A>
Features<A> MacePass<A>::features(Buffer<T>& buffer, const Layout& layout, long atoms) {
  return reserve_features<A>(buffer, layout, atoms);
}

/// The first layer's features depend on the species alone: a table, expanded to atoms only where it is read.
template <class A>
void MacePass<A>::embed_atoms() {
  const Features<A> table = features(arrays_.table, c_.plan->embedding, c_.shape->species);
  species_table<A>(c_.weights + c_.plan->embedding_at, table);
  if (c_.plan->layers[0].residual) expand_species<A>(graph_, table, input_of(0));
}

template <class A>
void MacePass<A>::interact(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const long rows = graph_.rows;
  sender_features(t);
  const Features<A> mid = features(arrays.mid, layer.convolution->out, rows);
  edges_.convolve(t, {0, graph_.rows}, features(arrays.up, layer.in, graph_.senders), mid);
  const Features<A> message = features(arrays.message, layer.message, rows);
  collect_message(t, mid, message);
  Features<A> a = message;
  if (!layer.residual) {
    a = features(arrays.a, layer.message, rows);
    skip_forward(t, message, 0, a);
  }
  const Features<A> b = features(arrays.b, layer.out, rows);
  product_forward<A>(*layer.basis, graph_.segment, c_.weights + layer.product, a, b);
  const Features<A> next = input_of(t + 1);
  for (int L = 0; L < b.layout.count; ++L) {
    linear_forward<A>(c_.weights, layer.product_linear[L], rows * (2 * L + 1), b.start(L), b.layout.block[L].pad, 0,
                      next.start(L), next.layout.block[L].pad);
  }
  if (layer.residual) skip_forward(t, input_of(t), 1, next);
  read_out(t);
}

template <class A>
void MacePass<A>::interact_backward(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const long rows = graph_.rows;
  read_out_backward(t);

  const Features<A> g_next = features(arrays_.g_out, layer.out, rows), b = features(arrays.b, layer.out, rows);
  const Features<A> g_b = features(arrays_.g_b, layer.out, rows);
  for (int L = 0; L < b.layout.count; ++L) {
    const int pad = b.layout.block[L].pad;
    linear_weight_gradient<A>(layer.product_linear[L], rows * (2 * L + 1), b.start(L), pad, g_next.start(L), pad,
                              weight_gradient_);
    linear_backward<A>(c_.weights, layer.product_linear[L], rows * (2 * L + 1), g_next.start(L), pad, 0, g_b.start(L),
                       pad);
  }
  const Features<A> message = features(arrays.message, layer.message, rows);
  const Features<A> a = layer.residual ? message : features(arrays.a, layer.message, rows);
  const Features<A> g_a = features(arrays_.g_a, layer.message, rows);
  product_backward<A>(*layer.basis, graph_.segment, c_.weights + layer.product, a, g_b, g_a,
                      weight_gradient_ ? weight_gradient_ + layer.product : nullptr);
  Features<A> g_message = g_a;
  if (!layer.residual) {
    g_message = features(arrays_.g_message, layer.message, rows);
    skip_backward(t, message, g_a, 0, g_message);
  }
  const Features<A> g_mid = features(arrays_.g_mid, layer.convolution->out, rows);
  collect_message_backward(t, message, g_message, g_mid);
  Features<A> g_up;
  if (sender_gradient_wanted(t)) g_up = zero_features<A>(arrays_.g_up, layer.in, graph_.senders);
  edges_.convolve_backward(t, {0, graph_.rows}, features(arrays.up, layer.in, graph_.senders), g_mid, g_up,
                           weight_gradient_);
  sender_features_backward(t);
}

/// All paths to the message, divided by the density where the model has one.
template <class A>
void MacePass<A>::collect_message(int t, const Features<A>& mid, const Features<A>& message) {
  const MaceLayer& layer = c_.plan->layers[t];
  for (int l = 0; l < message.layout.count; ++l) {
    linear_forward<A>(c_.weights, layer.linear[l], graph_.rows * (2 * l + 1), mid.start(l), mid.layout.block[l].pad, 0,
                      message.start(l), message.layout.block[l].pad);
  }
  if (!c_.shape->density_normalised) return;
  auto* density = arrays_.layers[t].density.reserve(graph_.rows);
  neighbour_density<A>(graph_, density_input(t), density);
  divide_by_density<A>(density, message);
}

template <class A>
void MacePass<A>::collect_message_backward(int t, const Features<A>& message, const Features<A>& g_message,
                                           const Features<A>& g_mid) {
  const MaceLayer& layer = c_.plan->layers[t];
  if (c_.shape->density_normalised) {
    auto* g_density = arrays_.g_density.reserve(graph_.rows);
    divide_by_density_backward<A>(arrays_.layers[t].density.data(), message, g_message, g_density);
    neighbour_density_backward<A>(graph_, density_input(t), g_density, arrays_.edges.g_radial.data(),
                                  arrays_.edges.g_envelope.data(),
                                  weight_gradient_ ? weight_gradient_ + layer.density : nullptr);
  }
  const Features<A> mid = features(arrays_.layers[t].mid, layer.convolution->out, graph_.rows);
  for (int l = 0; l < message.layout.count; ++l) {
    const int pad = message.layout.block[l].pad, mid_pad = mid.layout.block[l].pad;
    const long rows = graph_.rows * (2 * l + 1);
    linear_weight_gradient<A>(layer.linear[l], rows, mid.start(l), mid_pad, g_message.start(l), pad, weight_gradient_);
    linear_backward<A>(c_.weights, layer.linear[l], rows, g_message.start(l), pad, 0, g_mid.start(l), mid_pad);
  }
}

template <class A>
DensityInput<A> MacePass<A>::density_input(int t) const {
  return {c_.edges.basis.count, c_.weights + c_.plan->layers[t].density, arrays_.edges.radial.data(),
          c_.shape->enveloped ? nullptr : arrays_.edges.envelope.data()};
}

/// What neighbours read: linear_up of the features, also on ghosts.
template <class A>
void MacePass<A>::sender_features(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  const Features<A> up = features(arrays_.layers[t].up, layer.in, graph_.senders);
  if (t == 0) {
    const Features<A> table = features(arrays_.table, layer.in, c_.shape->species);
    const Features<A> table_up = features(arrays_.table_up, layer.in, c_.shape->species);
    const int pad = layer.in.block[0].pad;
    linear_forward<A>(c_.weights, layer.linear_up[0], c_.shape->species, table.data, pad, 0, table_up.data, pad);
    expand_species<A>(graph_, table_up, up);
    return;
  }
  const Features<A> in = input_of(t);
  for (int l = 0; l < in.layout.count; ++l) {
    const int pad = in.layout.block[l].pad;
    linear_forward<A>(c_.weights, layer.linear_up[l], graph_.rows * (2 * l + 1), in.start(l), pad, 0, up.start(l), pad);
  }
  if constexpr (!A::dual) {
    FeatureExchange<T> exchange(graph_, up);
    halo_.forward(exchange);
  }
}

template <class A>
void MacePass<A>::sender_features_backward(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  if (t == 0) {
    if constexpr (A::dual) {
      const int pad = layer.in.block[0].pad;
      const long species = c_.shape->species;
      const Features<A> g_up = features(arrays_.g_up, layer.in, graph_.senders);
      const Features<A> table = features(arrays_.table, layer.in, species);
      const Features<A> g_table = features(arrays_.g_table, layer.in, species);
      const Features<A> g_table_up = features(arrays_.g_table_up, layer.in, species);
      expand_species_backward<A>(graph_, g_up, g_table_up);
      linear_weight_gradient<A>(layer.linear_up[0], species, table.data, pad, g_table_up.data, pad, weight_gradient_);
      linear_backward<A>(c_.weights, layer.linear_up[0], species, g_table_up.data, pad, 0, g_table.data, pad);
      species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
      if (layer.residual) {
        const Features<A> g_in = features(arrays_.g_in, layer.in, graph_.rows);
        skip_backward(t, input_of(0), features(arrays_.g_out, layer.out, graph_.rows), 0, g_in);
        expand_species_backward<A>(graph_, g_in, g_table);
        species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
      }
    }
    return;
  }
  const Features<A> g_up = features(arrays_.g_up, layer.in, graph_.senders);
  if constexpr (!A::dual) {
    FeatureExchange<T> exchange(graph_, g_up);
    halo_.reverse(exchange);
  }
  const Features<A> in = input_of(t), g_in = features(arrays_.g_in, layer.in, graph_.rows);
  for (int l = 0; l < in.layout.count; ++l) {
    const int pad = in.layout.block[l].pad;
    linear_weight_gradient<A>(layer.linear_up[l], graph_.rows * (2 * l + 1), in.start(l), pad, g_up.start(l), pad,
                              weight_gradient_);
    linear_backward<A>(c_.weights, layer.linear_up[l], graph_.rows * (2 * l + 1), g_up.start(l), pad, 0, g_in.start(l),
                       pad);
  }
  if (layer.residual) skip_backward(t, in, features(arrays_.g_out, layer.out, graph_.rows), 1, g_in);
  std::swap(arrays_.g_out, arrays_.g_in);
}

/// Weights per element: rows are sorted by species, so one GEMM a species and l.
template <class A>
void MacePass<A>::skip_forward(int t, const Features<A>& x, T beta, const Features<A>& y) {
  const MaceLayer& layer = c_.plan->layers[t];
  for (std::size_t l = 0; l < layer.skip.size(); ++l) {
    const int pad = x.layout.block[l].pad;
    for (int s = 0; s < c_.shape->species; ++s) {
      const int begin = graph_.segment[s], n = (graph_.segment[s + 1] - begin) * (2 * static_cast<int>(l) + 1);
      linear_forward<A>(c_.weights, layer.skip[l][s], n, x.at(l, begin, 0), pad, beta, y.at(l, begin, 0), pad);
    }
  }
}

template <class A>
void MacePass<A>::skip_backward(int t, const Features<A>& x, const Features<A>& g_y, T beta, const Features<A>& g_x) {
  const MaceLayer& layer = c_.plan->layers[t];
  for (std::size_t l = 0; l < layer.skip.size(); ++l) {
    const int pad = x.layout.block[l].pad;
    for (int s = 0; s < c_.shape->species; ++s) {
      const int begin = graph_.segment[s], n = (graph_.segment[s + 1] - begin) * (2 * static_cast<int>(l) + 1);
      linear_weight_gradient<A>(layer.skip[l][s], n, x.at(l, begin, 0), pad, g_y.at(l, begin, 0), pad,
                                weight_gradient_);
      linear_backward<A>(c_.weights, layer.skip[l][s], n, g_y.at(l, begin, 0), pad, beta, g_x.at(l, begin, 0), pad);
    }
  }
}

template <class A>
void MacePass<A>::read_out(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const Features<A> h = input_of(t + 1);
  const T* x = h.start(0);
  int pad = h.layout.block[0].pad;
  if (layer.readout.size() == 2) {
    const int hidden = layer.readout[0].out;
    T* before = arrays.readout_before.reserve(graph_.rows * hidden * A::rows);
    T* after = arrays.readout_after.reserve(graph_.rows * hidden * A::rows);
    linear_forward<A>(c_.weights, layer.readout[0], graph_.rows, x, pad, 0, before, hidden);
    activate<A>(graph_.rows, hidden, c_.shape->activation_norm, before, after);
    x = after;
    pad = hidden;
  }
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    const int width = layer.readout.back().out;
    T* y = arrays.readout.reserve(graph_.rows * width);
    linear_forward<A>(c_.weights, layer.readout.back(), graph_.rows, x, pad, 0, y, width);
    add_column<T>(graph_.rows, y, width, arrays_.energy.data());
  }
}

/// Adds to the adjoint of the layer's output scalars.
template <class A>
void MacePass<A>::read_out_backward(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const Features<A> h = input_of(t + 1), g_h = features(arrays_.g_out, layer.out, graph_.rows);
  const int width = layer.readout.back().out, pad = h.layout.block[0].pad;
  T* g = arrays_.g_readout.reserve(graph_.rows * width * A::rows);
  seed_column<A>(graph_.rows, arrays_.seed.data(), width, g);
  int g_width = width;
  if (layer.readout.size() == 2) {
    const int hidden = layer.readout[0].out;
    linear_weight_gradient<A>(layer.readout[1], graph_.rows, arrays.readout_after.data(), hidden, g, width,
                              weight_gradient_);
    T* g_hidden = arrays_.g_readout_hidden.reserve(graph_.rows * hidden * A::rows);
    linear_backward<A>(c_.weights, layer.readout[1], graph_.rows, g, width, 0, g_hidden, hidden);
    activate_backward<A>(graph_.rows, hidden, c_.shape->activation_norm, arrays.readout_before.data(), g_hidden,
                         g_hidden);
    g = g_hidden;
    g_width = hidden;
  }
  linear_weight_gradient<A>(layer.readout[0], graph_.rows, h.start(0), pad, g, g_width, weight_gradient_);
  linear_backward<A>(c_.weights, layer.readout[0], graph_.rows, g, g_width, 1, g_h.start(0), pad);
}

template class MacePass<Plain<float>>;
template class MacePass<Plain<double>>;
template class MacePass<WithTangent<float>>;
template class MacePass<WithTangent<double>>;

}  // namespace isotrope
