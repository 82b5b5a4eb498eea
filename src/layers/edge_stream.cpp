// SPDX-License-Identifier: MIT
#include "layers/edge_stream.hpp"

#include <algorithm>

#include "core/loops.hpp"

namespace isotrope {

template <class A>
EdgeStream<A>::EdgeStream(const EdgeModel<T>& model, DeviceGraph& graph, EdgeArrays<A>& arrays, int block,
                          bool basis_gradient_wanted)
    : m_(model), graph_(graph), arrays_(arrays), basis_gradient_wanted_(!A::dual || basis_gradient_wanted) {
  arrays_.layers.resize(m_.layers.size());
  split_rows(block);
}

template <class A>
void EdgeStream<A>::split_rows(int block) {
  long widest = 1;
  for (const auto& layer : m_.layers) {
    const int numbers = tabulated() ? layer.convolution->couplings : layer.convolution->weights * A::rows;
    widest = std::max<long>(widest, numbers);
  }
  const long most_edges = (tabulated() ? arrays_.most_couplings : arrays_.most_numbers) / widest;
  kept_ = !tabulated() && graph_.edges <= most_edges;
  arrays_.blocks.clear();
  arrays_.chunks.clear();
  for (int begin = 0; begin < graph_.rows;) {
    const int end = block > 0 ? std::min(graph_.rows, begin + block) : graph_.rows;
    arrays_.blocks.push_back({begin, end});
    split_block(arrays_.blocks.back(), most_edges);
    begin = end;
  }
  arrays_.harmonics_first = -1;
  for (auto& layer : arrays_.layers) {
    layer.chunks.resize(std::max(layer.chunks.size(), kept_ ? arrays_.chunks.size() : 1));
    for (auto& chunk : layer.chunks) chunk.first = -1;
  }
}

template <class A>
void EdgeStream<A>::split_block(const RowRange& block, long most_edges) {
  const std::vector<long>& first = graph_.host_first;
  for (int begin = block.begin; begin < block.end;) {
    int end = begin + 1;
    while (end < block.end && first[end + 1] - first[begin] <= most_edges) ++end;
    arrays_.chunks.push_back({{begin, end}, first[begin], first[end]});
    begin = end;
  }
}

/// The chunks of a block, which are in the order of their rows.
template <class A>
template <class F>
void EdgeStream<A>::for_chunks(const RowRange& block, const F& f) const {
  const auto before = [](const EdgeChunk& chunk, int row) { return chunk.rows.begin < row; };
  auto chunk = std::lower_bound(arrays_.chunks.begin(), arrays_.chunks.end(), block.begin, before);
  for (; chunk != arrays_.chunks.end() && chunk->rows.begin < block.end; ++chunk) f(*chunk);
}

namespace {
EdgeEnds ends_of(const DeviceGraph& graph) {
  return {graph.receiver.data(), graph.sender.data(), graph.species.data()};
}
}  // namespace

template <class A>
void EdgeStream<A>::embed() {
  if (streamed()) return;
  embed_edges<A>(m_.basis, m_.harmonics, graph_.edges, graph_.r.data(), graph_.dr.data(),
                 arrays_.radial.reserve(graph_.edges * m_.basis.count * A::rows),
                 arrays_.harmonics.reserve(graph_.edges * m_.harmonics.count()), ends_of(graph_));
  if (!m_.basis.enveloped) {
    edge_lengths<A>(graph_.edges, graph_.r.data(), graph_.dr.data(), arrays_.length.reserve(graph_.edges));
    edge_envelope<A>(m_.basis.envelope, graph_.edges, arrays_.length.data(), arrays_.envelope.reserve(graph_.edges));
  }
}

template <class A>
void EdgeStream<A>::start_backward() {
  if (basis_gradient_wanted_) arrays_.g_radial.zeros(graph_.edges * m_.basis.count * A::rows);
  if constexpr (!A::dual) {
    arrays_.g_r.zeros(3 * graph_.edges);
    if (streamed()) return;
    arrays_.g_harmonics.zeros(graph_.edges * m_.harmonics.count());
    if (length_wanted()) arrays_.g_length.zeros(graph_.edges);
    if (!m_.basis.enveloped) arrays_.g_envelope.zeros(graph_.edges);
  }
}

template <class A>
typename EdgeArrays<A>::Chunk& EdgeStream<A>::arrays_of(int t, const EdgeChunk& chunk) {
  return arrays_.layers[t].chunks[kept_ ? &chunk - arrays_.chunks.data() : 0];
}

/// Unless they are there.
template <class A>
void EdgeStream<A>::radial_and_couplings(int t, const EdgeChunk& chunk) {
  const auto& layer = m_.layers[t];
  auto& arrays = arrays_of(t, chunk);
  const long edges = chunk.edge_end - chunk.edge_begin;
  const int harmonics = m_.harmonics.count();
  const bool from_harmonics = couplings_are_harmonics(*layer.convolution);
  const bool there = arrays.first == chunk.rows.begin;
  if (streamed() && arrays_.harmonics_first != chunk.rows.begin && (from_harmonics || !there)) {
    arrays_.harmonics_first = chunk.rows.begin;
    embed_edges<A>(m_.basis, m_.harmonics, edges, graph_.r.data() + 3 * chunk.edge_begin, nullptr, nullptr,
                   arrays_.harmonics.reserve(edges * harmonics));
  }
  if (there) return;
  arrays.first = chunk.rows.begin;
  if (!tabulated()) {
    T* weights = arrays.weights.reserve(edges * layer.convolution->weights * A::rows);
    const T* basis = arrays_.radial.data() + chunk.edge_begin * m_.basis.count * A::rows;
    layer.radial->template forward<A>(m_.weights, edges, basis, arrays.radial, weights, envelope(chunk));
  }
  if (!from_harmonics) {
    couple<A>(*layer.convolution, edges, harmonics, arrays_.harmonics.data() + start(chunk) * harmonics,
              arrays.couplings.reserve(edges * layer.convolution->couplings));
  }
}

namespace {
struct SpeciesOf {
  const int *species, *sender;
  int* out;
  KOKKOS_FUNCTION void operator()(long k) const { out[k] = species[sender[k]]; }
};
}  // namespace

/// Rows of the senders' features that the edges of a chunk read.
template <class A>
const int* EdgeStream<A>::sender_rows(const EdgeChunk& chunk, bool by_species) {
  const int* senders = graph_.sender.data() + chunk.edge_begin;
  if (!by_species) return senders;
  const long edges = chunk.edge_end - chunk.edge_begin;
  int* species = arrays_.sender_species.reserve(edges);
  for_each("isotrope::sender_species", edges, SpeciesOf{graph_.species.data(), senders, species});
  return species;
}

template <class A>
EdgeBatch<A> EdgeStream<A>::batch(int t, const RowRange& block, const EdgeChunk& chunk, bool by_species) {
  const Convolution& convolution = *m_.layers[t].convolution;
  const auto& arrays = arrays_of(t, chunk);
  EdgeBatch<A> batch{chunk.rows.begin, chunk.rows.end,      chunk.edge_begin,
                     chunk.edge_end,   graph_.first.data(), sender_rows(chunk, by_species)};
  batch.couplings = couplings_are_harmonics(convolution)
                        ? arrays_.harmonics.data() + start(chunk) * convolution.couplings
                        : arrays.couplings.data();
  batch.message_begin = block.begin;
  if (tabulated()) {
    batch.table = (*m_.tables)[t]->view();
    batch.r = graph_.r.data();
    batch.g_length = arrays_.g_length.data() + start(chunk);
  } else {
    batch.weights = arrays.weights.data();
  }
  return batch;
}

template <class A>
void EdgeStream<A>::convolve(int t, const RowRange& block, const SenderFeatures<A>& senders,
                             const Features<A>& messages) {
  for_chunks(block, [&](const EdgeChunk& chunk) {
    radial_and_couplings(t, chunk);
    isotrope::convolve<A>(*m_.layers[t].convolution, batch(t, block, chunk, senders.by_species), senders.features,
                          messages);
  });
}

template <class A>
void EdgeStream<A>::convolve_backward(int t, const RowRange& block, const SenderFeatures<A>& senders,
                                      const Features<A>& g_messages, const Features<A>& g_senders, T* weight_gradient) {
  const auto& layer = m_.layers[t];
  const int harmonics = m_.harmonics.count(), count = m_.basis.count;
  for_chunks(block, [&](const EdgeChunk& chunk) {
    radial_and_couplings(t, chunk);
    auto& arrays = arrays_of(t, chunk);
    const long edges = chunk.edge_end - chunk.edge_begin;
    if (streamed()) {
      arrays_.g_harmonics.zeros(edges * harmonics);
      arrays_.g_length.zeros(edges);
    }
    T* g_couplings = A::dual ? nullptr : arrays_.g_couplings.reserve(edges * layer.convolution->couplings);
    isotrope::convolve_backward<A>(*layer.convolution, batch(t, block, chunk, senders.by_species), senders.features,
                                   g_messages, g_senders, g_couplings);
    if constexpr (!A::dual) {
      couple_backward<T>(*layer.convolution, edges, harmonics, g_couplings,
                         arrays_.g_harmonics.data() + start(chunk) * harmonics);
    }
    if (streamed()) add_to_edge_vectors(chunk);
    if (!tabulated()) {
      const long at = chunk.edge_begin * count * A::rows;
      layer.radial->template backward<A>(
          m_.weights, edges, arrays_.radial.data() + at, arrays.radial, arrays.weights.data(),
          basis_gradient_wanted_ ? arrays_.g_radial.data() + at : nullptr, weight_gradient, envelope(chunk),
          m_.basis.enveloped ? nullptr : arrays_.g_envelope.data() + chunk.edge_begin);
      arrays.first = -1;  // adjoints stand in the place of the weights
    }
  });
}

/// What a layer's adjoints of harmonics and lengths make of dE/dr, for a chunk of edges.
template <class A>
void EdgeStream<A>::add_to_edge_vectors(const EdgeChunk& chunk) {
  if constexpr (!A::dual) {
    embed_edges_backward<T>(m_.basis, m_.harmonics, chunk.edge_end - chunk.edge_begin,
                            graph_.r.data() + 3 * chunk.edge_begin, arrays_.g_radial.data(), arrays_.g_harmonics.data(),
                            arrays_.g_length.data(), arrays_.g_r.data() + 3 * chunk.edge_begin, true);
  }
}

template <class A>
void EdgeStream<A>::finish_backward() {
  if constexpr (!A::dual) {
    if (streamed()) return;
    if (!m_.basis.enveloped) {
      edge_envelope_backward(m_.basis.envelope, graph_.edges, arrays_.length.data(), arrays_.g_envelope.data(),
                             arrays_.g_length.data());
    }
    embed_edges_backward<T>(m_.basis, m_.harmonics, graph_.edges, graph_.r.data(), arrays_.g_radial.data(),
                            arrays_.g_harmonics.data(), length_wanted() ? arrays_.g_length.data() : nullptr,
                            arrays_.g_r.data(), true, ends_of(graph_));
  }
}

template class EdgeStream<Plain<float>>;
template class EdgeStream<Plain<double>>;
template class EdgeStream<WithTangent<float>>;
template class EdgeStream<WithTangent<double>>;

}  // namespace isotrope
