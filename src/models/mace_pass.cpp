// SPDX-License-Identifier: MIT
#include "models/mace_pass.hpp"

#include <algorithm>

#include "layers/feature_exchange.hpp"
#include "layers/ghost_rows.hpp"
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
      edges_(c_.edges, graph, arrays.edges, A::dual ? 0 : arrays.block_rows),
      weight_gradient_(weight_gradient) {
  arrays_.layers.resize(c_.shape->layers);
  for (auto& layer : arrays_.layers) layer.kept.resize(std::max(layer.kept.size(), kept_blocks()));
}

template <class A>
void MacePass<A>::run() {
  start();
  for (int t = 0; t < last(); ++t) interact(t);
  turn_back();
  for (int t = last() - 1; t >= 0; --t) interact_backward(t);
  edges_.finish_backward();
}

/// Edges and elements, and what depends on nothing else: the terms beside the network, both ways.
template <class A>
void MacePass<A>::start() {
  prepare_weights();
  edges_.embed();
  species_table<A>(c_.weights + c_.plan->embedding_at, features(arrays_.table, c_.plan->embedding, c_.shape->species));
  arrays_.energy.zeros(graph_.rows);
  seed_energies<A>(graph_, c_.scale, arrays_.seed.reserve(graph_.rows));
  edges_.start_backward();
  const int count = c_.edges.basis.count;
  if (c_.shape->pair_energy) {
    pair_energy_backward<A>(graph_, c_.shape->species, count, c_.weights + c_.plan->pair, arrays_.edges.radial.data(),
                            arrays_.seed.data(), arrays_.edges.g_radial.data(),
                            weight_gradient_ ? weight_gradient_ + c_.plan->pair : nullptr);
  }
  if constexpr (!A::dual) {  // which reads no energies, and ZBL has no parameters
    if (c_.shape->pair_energy) {
      pair_energy<T>(graph_, c_.shape->species, count, c_.weights + c_.plan->pair, arrays_.edges.radial.data(),
                     arrays_.energy.data());
    }
    if (c_.shape->zbl) {
      c_.zbl->add_energy(graph_, arrays_.energy.data());
      c_.zbl->template backward<T>(graph_, arrays_.seed.data(), arrays_.edges.g_length.data());
    }
  }
}

template <class A>
void MacePass<A>::interact(int t) {
  show_features(t);
  for (std::size_t k = 0; k < edges_.blocks().size(); ++k) {
    const Block at = block(t, k);
    collect(t, at);
    give_out(t, at);
  }
}

/// The last layer. Nothing comes after it, so each of its blocks goes back as soon as it is there.
template <class A>
void MacePass<A>::turn_back() {
  const int t = last();
  show_features(t);
  start_sender_adjoint(t);
  for (std::size_t k = 0; k < edges_.blocks().size(); ++k) {
    const Block at = block(t, k);
    collect(t, at);
    give_out(t, at);
    block_backward(t, at);
  }
  senders_backward(t);
}

/// From the adjoint of the layer's output to that of its input. What senders showed is made again (duals kept it).
template <class A>
void MacePass<A>::interact_backward(int t) {
  if (!A::dual) show_features_again(t);
  start_sender_adjoint(t);
  for (std::size_t k = 0; k < edges_.blocks().size(); ++k) {
    const Block at = block(t, k);
    if (!at.kept) collect(t, at);
    block_backward(t, at);
  }
  senders_backward(t);
}

// ---- where things are ----------------------------------------------------------------------------------------------

template <class A>
std::size_t MacePass<A>::kept_blocks() const {
  if (A::dual) return 1;
  long width = 1;  // of a row of all layers that are visited twice
  for (int t = 0; t < last(); ++t) width += (c_.shape->density_normalised ? 2 : 1) * c_.plan->layers[t].message.width;
  const long most = std::max(arrays_.most_kept, arrays_.kept_per_row * graph_.rows);
  return std::min(static_cast<std::size_t>(most / width / arrays_.block_rows), edges_.blocks().size());
}

template <class A>
typename MacePass<A>::Block MacePass<A>::block(int t, std::size_t k) {
  const RowRange& rows = edges_.blocks()[k];
  const bool kept = A::dual || (t < last() && k < kept_blocks());
  return {rows, graph_.segment_of(rows), kept ? &arrays_.layers[t].kept[k] : &arrays_.block, kept};
}

/// The rows of a block lie together, so that they are features by themselves.
template <class A>
Features<A> MacePass<A>::rows_of(Buffer<T>& all, const Layout& layout, const RowRange& rows) {
  T* data = all.reserve(layout.width * graph_.rows * A::rows);
  return {data + layout.width * rows.begin * A::rows, rows.count(), layout};
}

/// What the last layer puts out, which is the first matrix of the readout's where that is merged.
template <class A>
Layout MacePass<A>::last_layout() const {
  if (!readout_is_merged(last())) return c_.plan->layers.back().out;
  Layout hidden;
  hidden.add(0, c_.shape->readout_mlp, c_.plan->layers.back().readout[0].out);
  return hidden;
}

/// Features that layer t reads; the output of the last layer for t = layers. Those of the first layer depend on the
/// species alone.
template <class A>
Features<A> MacePass<A>::input_of(int t, const RowRange& rows) {
  if (t > last()) return features(arrays_.out, last_layout(), rows.count());
  if (t > 0) return rows_of(arrays_.layers[t].in, c_.plan->layers[t].in, rows);
  const Features<A> h = features(arrays_.elements, c_.plan->embedding, rows.count());
  expand_species<A>(graph_, features(arrays_.table, c_.plan->embedding, c_.shape->species), h, rows.begin);
  return h;
}

/// Their adjoint, which takes the place of plain numbers.
template <class A>
Features<A> MacePass<A>::adjoint_of(int t, const RowRange& rows) {
  if (t > last()) return features(arrays_.g_out, last_layout(), rows.count());
  if (A::dual) return features(arrays_.layers[t].g_in, c_.plan->layers[t].in, rows.count());
  return rows_of(arrays_.layers[t].in, c_.plan->layers[t].in, rows);
}

/// What senders show: of the first layer a table is enough where no gradient of it is asked for.
template <class A>
SenderFeatures<A> MacePass<A>::shown(int t) {
  const Layout& layout = c_.plan->layers[t].in;
  if (A::dual) return {features(arrays_.layers[t].up, layout, graph_.senders)};
  if (t == 0) return {features(arrays_.table_up, layout, c_.shape->species), true};
  return {features(arrays_.up, layout, graph_.senders)};
}

template <class A>
Features<A> MacePass<A>::start_sender_adjoint(int t) {
  if (!sender_adjoint_wanted(t)) return {};
  return zero_features<A>(arrays_.g_up, c_.plan->layers[t].in, graph_.senders);
}

/// Messages of a block; only the skip connection's weights and the density read them on the way back.
template <class A>
Features<A> MacePass<A>::message(int t, const Block& block) {
  if (skip_is_merged(t)) return contracted(t, block);
  const MaceLayer& layer = c_.plan->layers[t];
  const bool read_again = A::dual || layer.residual || c_.shape->density_normalised;
  return features(read_again ? block.arrays->message : arrays_.block.message, layer.message, block.rows.count());
}

/// What the product basis contracts.
template <class A>
Features<A> MacePass<A>::contracted(int t, const Block& block) {
  if (c_.plan->layers[t].residual) return message(t, block);
  return features(block.arrays->a, c_.plan->layers[t].message, block.rows.count());
}

// ---- what neighbours read ------------------------------------------------------------------------------------------

/// linear_up of the features, also on ghosts. What these show is kept for the way back.
template <class A>
void MacePass<A>::show_features(int t) {
  features_of_senders(t);
  if constexpr (!A::dual) {
    if (t == 0) return;
    forward_features<T>(halo_, graph_, shown(t).features);
    if (t < last()) keep_ghosts(graph_, shown(t).features, arrays_.layers[t].ghosts);
  }
}

template <class A>
void MacePass<A>::show_features_again(int t) {
  features_of_senders(t);
  if (t > 0) show_kept_ghosts(graph_, arrays_.layers[t].ghosts, shown(t).features);
}

/// Those of the first layer depend on the species alone, which is known of ghosts too.
template <class A>
void MacePass<A>::features_of_senders(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  const auto& mine = arrays_.layers[t].weights;
  if (t == 0) {
    const Features<A> table = features(arrays_.table, layer.in, c_.shape->species);
    const Features<A> table_up = features(arrays_.table_up, layer.in, c_.shape->species);
    degree_linear<A>(mine.up, c_.shape->species, {table}, {table_up});
    if (A::dual) expand_species<A>(graph_, table_up, shown(t).features);
    return;
  }
  const Features<A> up = shown(t).features;
  for (const RowRange& rows : edges_.blocks()) {
    degree_linear<A>(mine.up, rows.count(), {input_of(t, rows)}, {up, rows.begin});
  }
}

/// From the adjoint of what senders show to that of the layer's input, which holds what came by the residual
/// connection.
template <class A>
void MacePass<A>::senders_backward(int t) {
  if (t == 0) {
    if constexpr (A::dual) element_features_backward();
    return;
  }
  const MaceLayer& layer = c_.plan->layers[t];
  const auto& up = arrays_.layers[t].weights.up;
  const int skipped = layer.residual ? static_cast<int>(layer.skip.size()) : 0;
  const Features<A> g_up = features(arrays_.g_up, layer.in, graph_.senders);
  if constexpr (!A::dual) reverse_features<T>(halo_, graph_, g_up);
  for (const RowRange& rows : edges_.blocks()) {
    degree_linear_gradient<A>(up, rows.count(), {input_of(t, rows)}, {g_up, rows.begin}, weight_gradient_);
    degree_linear_backward<A>(up, rows.count(), {g_up, rows.begin}, {adjoint_of(t, rows)}, skipped);
  }
}

/// The first layer, for the gradient of the weights: its input is a table of the species. Duals have one block.
template <class A>
void MacePass<A>::element_features_backward() {
  const MaceLayer& layer = c_.plan->layers[0];
  const auto& up = arrays_.layers[0].weights.up;
  const long species = c_.shape->species;
  const Features<A> table = features(arrays_.table, layer.in, species);
  const Features<A> g_table = features(arrays_.g_table, layer.in, species);
  const Features<A> g_table_up = features(arrays_.g_table_up, layer.in, species);
  expand_species_backward<A>(graph_, features(arrays_.g_up, layer.in, graph_.senders), g_table_up);
  degree_linear_gradient<A>(up, species, {table}, {g_table_up}, weight_gradient_);
  degree_linear_backward<A>(up, species, {g_table_up}, {g_table});
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
  if (!layer.residual) return;
  expand_species_backward<A>(graph_, adjoint_of(0, {0, graph_.rows}), g_table);
  species_table_gradient<A>(g_table, weight_gradient_ + c_.plan->embedding_at);
}

template class MacePass<Plain<float>>;
template class MacePass<Plain<double>>;
template class MacePass<WithTangent<float>>;
template class MacePass<WithTangent<double>>;

}  // namespace isotrope
