// SPDX-License-Identifier: MIT
// What a layer does to a block of receivers, there and back.
#include "layers/readout.hpp"
#include "models/mace_pass.hpp"

namespace isotrope {

/// From what senders show to what the product contracts: all paths to the message, divided by the density where the
/// model has one.
template <class A>
void MacePass<A>::collect(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const long n = block.rows.count();
  auto& passing = A::dual ? *block.arrays : arrays_.block;
  const Features<A> mid = features(passing.mid, layer.convolution->out, n), to = message(t, block);
  edges_.convolve(t, block.rows, shown(t), mid);
  linear_of_message(t, block, mid, to);
  if (c_.shape->density_normalised) {
    auto* density = block.arrays->density.reserve(n);
    neighbour_density<A>(graph_, block.rows, density_input(t), density);
    divide_by_density<A>(density, to);
  }
  if (!layer.residual && !skip_is_merged(t)) skip_forward(t, block, to, 0, contracted(t, block));
}

/// The linear layer after the convolution, with the skip connection where it is merged.
template <class A>
void MacePass<A>::linear_of_message(int t, const Block& block, const Features<A>& mid, const Features<A>& to) {
  if (skip_is_merged(t)) return skip_forward(t, block, mid, 0, to);
  degree_linear<A>(arrays_.layers[t].weights.linear, block.rows.count(), {mid}, {to});
}

/// What the product gives: the output itself where its linear layer is left to those that read it.
template <class A>
Features<A> MacePass<A>::product(int t, const Block& block) {
  if (product_is_merged(t)) return input_of(t + 1, block.rows);
  auto& passing = A::dual ? *block.arrays : arrays_.block;
  return features(passing.b, c_.plan->layers[t].out, block.rows.count());
}
template <class A>
Features<A> MacePass<A>::product_adjoint(int t, const Block& block) {
  if (product_is_merged(t)) return adjoint_of(t + 1, block.rows);
  return features(arrays_.g_b, c_.plan->layers[t].out, block.rows.count());
}

/// The product, and what follows from it: features for the next layer and energies.
template <class A>
void MacePass<A>::give_out(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const auto& mine = arrays_.layers[t].weights;
  const Features<A> b = product(t, block), next = input_of(t + 1, block.rows);
  product_forward<A>(*layer.basis, block.segment, c_.weights + layer.product, contracted(t, block), b, mine.folded);
  if (!product_is_merged(t)) degree_linear<A>(mine.product_linear, block.rows.count(), {b}, {next});
  if (layer.residual) skip_forward(t, block, input_of(t, block.rows), next.layout.count, next);
  read_out(t, block);
}

/// The adjoint of both; writes that of the layer's input where it has a residual connection.
template <class A>
void MacePass<A>::block_backward(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const auto& mine = arrays_.layers[t].weights;
  const long n = block.rows.count();
  const Features<A> g_next = adjoint_of(t + 1, block.rows), g_b = product_adjoint(t, block);
  read_out_backward(t, block, g_next);
  if (!product_is_merged(t)) {
    degree_linear_gradient<A>(mine.product_linear, n, {product(t, block)}, {g_next}, weight_gradient_);
    degree_linear_backward<A>(mine.product_linear, n, {g_next}, {g_b});
  }
  if (layer.residual && sender_adjoint_wanted(t)) {
    skip_backward(t, block, input_of(t, block.rows), g_next, adjoint_of(t, block.rows));
  }
  const Features<A> g_a = features(arrays_.g_a, layer.message, n);
  product_backward<A>(*layer.basis, block.segment, c_.weights + layer.product, contracted(t, block), g_b, g_a,
                      weight_gradient_ ? weight_gradient_ + layer.product : nullptr, mine.folded);
  Features<A> g_message = g_a;
  if (!layer.residual && !skip_is_merged(t)) {
    g_message = features(arrays_.g_message, layer.message, n);
    skip_backward(t, block, message(t, block), g_a, g_message);
  }
  paths_backward(t, block, g_message);
}

/// From the adjoint of the messages to those of the edges and of what senders show.
template <class A>
void MacePass<A>::paths_backward(int t, const Block& block, const Features<A>& g_message) {
  const MaceLayer& layer = c_.plan->layers[t];
  const long n = block.rows.count();
  if (c_.shape->density_normalised) {
    auto* g_density = arrays_.g_density.reserve(n);
    divide_by_density_backward<A>(block.arrays->density.data(), message(t, block), g_message, g_density);
    neighbour_density_backward<A>(graph_, block.rows, density_input(t), g_density, arrays_.edges.g_radial.data(),
                                  arrays_.edges.g_envelope.data(),
                                  weight_gradient_ ? weight_gradient_ + layer.density : nullptr);
  }
  auto& passing = A::dual ? *block.arrays : arrays_.block;
  const Features<A> mid = features(passing.mid, layer.convolution->out, n);
  const Features<A> g_mid = features(arrays_.g_mid, layer.convolution->out, n);
  linear_of_message_backward(t, block, mid, g_message, g_mid);
  Features<A> g_up;
  if (sender_adjoint_wanted(t)) g_up = features(arrays_.g_up, layer.in, graph_.senders);
  edges_.convolve_backward(t, block.rows, shown(t), g_mid, g_up, weight_gradient_);
}

/// Writes g_mid.
template <class A>
void MacePass<A>::linear_of_message_backward(int t, const Block& block, const Features<A>& mid,
                                             const Features<A>& g_message, const Features<A>& g_mid) {
  if (skip_is_merged(t)) return skip_backward(t, block, mid, g_message, g_mid);
  const auto& linear = arrays_.layers[t].weights.linear;
  degree_linear_gradient<A>(linear, block.rows.count(), {mid}, {g_message}, weight_gradient_);
  degree_linear_backward<A>(linear, block.rows.count(), {g_message}, {g_mid});
}

/// Calls f(its matrices, first row, rows) for the species that a block has.
template <class A>
template <class F>
void MacePass<A>::for_species(int t, const Block& block, const F& f) const {
  for (int s = 0; s < c_.shape->species; ++s) {
    const int begin = block.segment[s], count = block.segment[s + 1] - begin;
    if (count > 0) f(arrays_.layers[t].weights.skip[s], begin, count);
  }
}

template <class A>
DensityInput<A> MacePass<A>::density_input(int t) const {
  return {c_.edges.basis.count, c_.weights + c_.plan->layers[t].density, arrays_.edges.radial.data(),
          c_.shape->enveloped ? nullptr : arrays_.edges.envelope.data()};
}

/// Weights per element: rows are sorted by species, so one product a species and degree.
template <class A>
void MacePass<A>::skip_forward(int t, const Block& block, const Features<A>& x, int added, const Features<A>& y) {
  for_species(t, block, [&](const DegreeLinear<T>& skip, int begin, int n) {
    degree_linear<A>(skip, n, {x, begin}, {y, begin}, added);
  });
}

/// Writes g_x.
template <class A>
void MacePass<A>::skip_backward(int t, const Block& block, const Features<A>& x, const Features<A>& g_y,
                                const Features<A>& g_x) {
  for_species(t, block, [&](const DegreeLinear<T>& skip, int begin, int n) {
    degree_linear_gradient<A>(skip, n, {x, begin}, {g_y, begin}, weight_gradient_);
    degree_linear_backward<A>(skip, n, {g_y, begin}, {g_x, begin});
  });
}

/// Of the last readout: what its activation reads.
template <class A>
typename A::Real* MacePass<A>::hidden_of(const Block& block) {
  const long numbers = block.rows.count() * c_.plan->layers[last()].readout[0].out * A::rows;
  return A::dual ? block.arrays->readout_before.reserve(numbers) : input_of(last() + 1, block.rows).data;
}

template <class A>
void MacePass<A>::read_out(int t, const Block& block) {
  const auto& readout = arrays_.layers[t].weights.readout;
  const Features<A> h = input_of(t + 1, block.rows);
  const T* x = h.start(0);
  int pad = h.layout.block[0].pad;
  if (t == last()) {
    const int hidden = readout[0].w.out;
    auto& passing = A::dual ? *block.arrays : arrays_.block;
    T* before = hidden_of(block);
    T* after = passing.readout_after.reserve(h.atoms * hidden * A::rows);
    if (A::dual) multiply_packed<A>(readout[0].forward, false, h.atoms, x, pad, nullptr, before, hidden);
    activate<A>(h.atoms, hidden, c_.shape->activation_norm, before, after);
    x = after;
    pad = hidden;
  }
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    const int width = readout.back().w.out;
    T* y = arrays_.readout.reserve(h.atoms * width);
    multiply_packed<A>(readout.back().forward, false, h.atoms, x, pad, nullptr, y, width);
    add_column<T>(h.atoms, y, width, arrays_.energy.data() + block.rows.begin);
  }
}

/// Adds to the adjoint of the layer's output scalars, which the last layer starts.
template <class A>
void MacePass<A>::read_out_backward(int t, const Block& block, const Features<A>& g_h) {
  const auto& readout = arrays_.layers[t].weights.readout;
  const Features<A> h = input_of(t + 1, block.rows);
  const int width = readout.back().w.out, pad = h.layout.block[0].pad;
  T* g = arrays_.g_readout.reserve(h.atoms * width * A::rows);
  seed_column<A>(h.atoms, arrays_.seed.data() + block.rows.begin, width, g);
  int g_width = width;
  if (t == last()) {
    const int hidden = readout[0].w.out;
    linear_weight_gradient<A>(readout[1].w, h.atoms, block.arrays->readout_after.data(), hidden, g, width,
                              weight_gradient_);
    T* g_hidden = A::dual ? arrays_.g_readout_hidden.reserve(h.atoms * hidden * A::rows) : g_h.data;
    multiply_packed<A>(readout[1].backward, false, h.atoms, g, width, nullptr, g_hidden, hidden);
    activate_backward<A>(h.atoms, hidden, c_.shape->activation_norm, hidden_of(block), g_hidden, g_hidden);
    if (readout_is_merged(t)) return;
    g = g_hidden;
    g_width = hidden;
  }
  linear_weight_gradient<A>(readout[0].w, h.atoms, h.start(0), pad, g, g_width, weight_gradient_);
  multiply_packed<A>(readout[0].backward, false, h.atoms, g, g_width, t < last() ? g_h.start(0) : nullptr, g_h.start(0),
                     pad);
}

template class MacePass<Plain<float>>;
template class MacePass<Plain<double>>;
template class MacePass<WithTangent<float>>;
template class MacePass<WithTangent<double>>;

}  // namespace isotrope
