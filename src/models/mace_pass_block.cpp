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
  const MaceLayer& layer = c_.plan->layers[t];
  for (int l = 0; l < to.layout.count; ++l) {
    const int pad = to.layout.block[l].pad, mid_pad = mid.layout.block[l].pad;
    if (skip_is_merged(t)) {
      for_species(block, l, [&](int s, int begin, long count) {
        linear_forward<A>(arrays_.layers[t].skip.data(), merged(t, l, s), count, mid.at(l, begin, 0), mid_pad, 0,
                          to.at(l, begin, 0), pad);
      });
    } else {
      const long count = static_cast<long>(block.rows.count()) * (2 * l + 1);
      linear_forward<A>(c_.weights, layer.linear[l], count, mid.start(l), mid_pad, 0, to.start(l), pad);
    }
  }
}

/// The product, and what follows from it: features for the next layer and energies.
template <class A>
void MacePass<A>::give_out(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const long n = block.rows.count();
  auto& passing = A::dual ? *block.arrays : arrays_.block;
  const Features<A> b = features(passing.b, layer.out, n), next = input_of(t + 1, block.rows);
  product_forward<A>(*layer.basis, block.segment, c_.weights + layer.product, contracted(t, block), b,
                     arrays_.layers[t].folded);
  for (int L = 0; L < b.layout.count; ++L) {
    const int pad = b.layout.block[L].pad;
    linear_forward<A>(c_.weights, layer.product_linear[L], n * (2 * L + 1), b.start(L), pad, 0, next.start(L), pad);
  }
  if (layer.residual) skip_forward(t, block, input_of(t, block.rows), 1, next);
  read_out(t, block);
}

/// The adjoint of both; writes that of the layer's input where it has a residual connection.
template <class A>
void MacePass<A>::block_backward(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const long n = block.rows.count();
  const Features<A> g_next = adjoint_of(t + 1, block.rows);
  read_out_backward(t, block, g_next);

  auto& passing = A::dual ? *block.arrays : arrays_.block;
  const Features<A> b = features(passing.b, layer.out, n), g_b = features(arrays_.g_b, layer.out, n);
  for (int L = 0; L < b.layout.count; ++L) {
    const int pad = b.layout.block[L].pad;
    linear_weight_gradient<A>(layer.product_linear[L], n * (2 * L + 1), b.start(L), pad, g_next.start(L), pad,
                              weight_gradient_);
    linear_backward<A>(c_.weights, layer.product_linear[L], n * (2 * L + 1), g_next.start(L), pad, 0, g_b.start(L),
                       pad);
  }
  if (layer.residual && sender_adjoint_wanted(t)) {
    skip_backward(t, block, input_of(t, block.rows), g_next, adjoint_of(t, block.rows));
  }
  const Features<A> g_a = features(arrays_.g_a, layer.message, n);
  product_backward<A>(*layer.basis, block.segment, c_.weights + layer.product, contracted(t, block), g_b, g_a,
                      weight_gradient_ ? weight_gradient_ + layer.product : nullptr, arrays_.layers[t].folded);
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
  const MaceLayer& layer = c_.plan->layers[t];
  for (int l = 0; l < g_message.layout.count; ++l) {
    const int pad = g_message.layout.block[l].pad, mid_pad = mid.layout.block[l].pad;
    if (skip_is_merged(t)) {
      for_species(block, l, [&](int s, int begin, long count) {
        linear_backward<A>(arrays_.layers[t].skip.data(), merged(t, l, s), count, g_message.at(l, begin, 0), pad, 0,
                           g_mid.at(l, begin, 0), mid_pad);
      });
    } else {
      const long count = static_cast<long>(block.rows.count()) * (2 * l + 1);
      linear_weight_gradient<A>(layer.linear[l], count, mid.start(l), mid_pad, g_message.start(l), pad,
                                weight_gradient_);
      linear_backward<A>(c_.weights, layer.linear[l], count, g_message.start(l), pad, 0, g_mid.start(l), mid_pad);
    }
  }
}

/// Calls f(species, first row, rows of degree l) for the species that a block has.
template <class A>
template <class F>
void MacePass<A>::for_species(const Block& block, int l, const F& f) const {
  for (int s = 0; s < c_.shape->species; ++s) {
    const int begin = block.segment[s], count = block.segment[s + 1] - begin;
    if (count > 0) f(s, begin, static_cast<long>(count) * (2 * l + 1));
  }
}

template <class A>
DensityInput<A> MacePass<A>::density_input(int t) const {
  return {c_.edges.basis.count, c_.weights + c_.plan->layers[t].density, arrays_.edges.radial.data(),
          c_.shape->enveloped ? nullptr : arrays_.edges.envelope.data()};
}

/// Weights per element: rows are sorted by species, so one GEMM a species and l.
template <class A>
void MacePass<A>::skip_forward(int t, const Block& block, const Features<A>& x, T beta, const Features<A>& y) {
  const MaceLayer& layer = c_.plan->layers[t];
  for (std::size_t l = 0; l < layer.skip.size(); ++l) {
    const int pad = x.layout.block[l].pad;
    for_species(block, static_cast<int>(l), [&](int s, int begin, long n) {
      linear_forward<A>(c_.weights, layer.skip[l][s], n, x.at(l, begin, 0), pad, beta, y.at(l, begin, 0), pad);
    });
  }
}

/// Writes g_x.
template <class A>
void MacePass<A>::skip_backward(int t, const Block& block, const Features<A>& x, const Features<A>& g_y,
                                const Features<A>& g_x) {
  const MaceLayer& layer = c_.plan->layers[t];
  for (std::size_t l = 0; l < layer.skip.size(); ++l) {
    const int pad = x.layout.block[l].pad;
    for_species(block, static_cast<int>(l), [&](int s, int begin, long n) {
      linear_weight_gradient<A>(layer.skip[l][s], n, x.at(l, begin, 0), pad, g_y.at(l, begin, 0), pad,
                                weight_gradient_);
      linear_backward<A>(c_.weights, layer.skip[l][s], n, g_y.at(l, begin, 0), pad, 0, g_x.at(l, begin, 0), pad);
    });
  }
}

template <class A>
void MacePass<A>::read_out(int t, const Block& block) {
  const MaceLayer& layer = c_.plan->layers[t];
  const Features<A> h = input_of(t + 1, block.rows);
  const T* x = h.start(0);
  int pad = h.layout.block[0].pad;
  if (layer.readout.size() == 2) {
    const int hidden = layer.readout[0].out;
    auto& passing = A::dual ? *block.arrays : arrays_.block;
    T* before = passing.readout_before.reserve(h.atoms * hidden * A::rows);
    T* after = passing.readout_after.reserve(h.atoms * hidden * A::rows);
    linear_forward<A>(c_.weights, layer.readout[0], h.atoms, x, pad, 0, before, hidden);
    activate<A>(h.atoms, hidden, c_.shape->activation_norm, before, after);
    x = after;
    pad = hidden;
  }
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    const int width = layer.readout.back().out;
    T* y = arrays_.readout.reserve(h.atoms * width);
    linear_forward<A>(c_.weights, layer.readout.back(), h.atoms, x, pad, 0, y, width);
    add_column<T>(h.atoms, y, width, arrays_.energy.data() + block.rows.begin);
  }
}

/// Adds to the adjoint of the layer's output scalars, which the last layer starts.
template <class A>
void MacePass<A>::read_out_backward(int t, const Block& block, const Features<A>& g_h) {
  if (t == last()) zero_features<A>(arrays_.g_out, g_h.layout, g_h.atoms);
  const MaceLayer& layer = c_.plan->layers[t];
  const Features<A> h = input_of(t + 1, block.rows);
  const int width = layer.readout.back().out, pad = h.layout.block[0].pad;
  T* g = arrays_.g_readout.reserve(h.atoms * width * A::rows);
  seed_column<A>(h.atoms, arrays_.seed.data() + block.rows.begin, width, g);
  int g_width = width;
  if (layer.readout.size() == 2) {
    auto& passing = A::dual ? *block.arrays : arrays_.block;
    const int hidden = layer.readout[0].out;
    linear_weight_gradient<A>(layer.readout[1], h.atoms, passing.readout_after.data(), hidden, g, width,
                              weight_gradient_);
    T* g_hidden = arrays_.g_readout_hidden.reserve(h.atoms * hidden * A::rows);
    linear_backward<A>(c_.weights, layer.readout[1], h.atoms, g, width, 0, g_hidden, hidden);
    activate_backward<A>(h.atoms, hidden, c_.shape->activation_norm, passing.readout_before.data(), g_hidden, g_hidden);
    g = g_hidden;
    g_width = hidden;
  }
  linear_weight_gradient<A>(layer.readout[0], h.atoms, h.start(0), pad, g, g_width, weight_gradient_);
  linear_backward<A>(c_.weights, layer.readout[0], h.atoms, g, g_width, 1, g_h.start(0), pad);
}

template class MacePass<Plain<float>>;
template class MacePass<Plain<double>>;
template class MacePass<WithTangent<float>>;
template class MacePass<WithTangent<double>>;

}  // namespace isotrope
