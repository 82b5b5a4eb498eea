// SPDX-License-Identifier: MIT
// The part of MacePass that streams over edges, chunk by chunk of receivers.
#include <algorithm>

#include "models/mace_pass.hpp"

namespace isotrope {

/// Radial weights are the only array of size edges x channels. They exist for one chunk of receivers at a time; a graph
/// that is one chunk (a training batch) keeps them for the adjoint, others evaluate them again.
template <class A>
void MacePass<A>::split_into_chunks() {
  long widest = 1;
  for (const MaceLayer& layer : c_.plan->layers) widest = std::max<long>(widest, layer.convolution->weights * A::rows);
  const long most_edges = (tabulated() ? arrays_.most_tabulated : arrays_.most_numbers) / widest;
  arrays_.chunks.clear();
  int begin = 0;
  while (begin < graph_.rows) {
    int end = begin + 1;
    while (end < graph_.rows && graph_.host_first[end + 1] - graph_.host_first[begin] <= most_edges) ++end;
    arrays_.chunks.push_back({begin, end, graph_.host_first[begin], graph_.host_first[end]});
    begin = end;
  }
}

template <class A>
void MacePass<A>::radial_and_couplings(int t, const typename MaceArrays<A>::Chunk& chunk) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const long edges = chunk.edge_end - chunk.edge_begin;
  const int harmonics = (c_.shape->l_max + 1) * (c_.shape->l_max + 1);
  T* weights = arrays.radial_weights.reserve(edges * layer.convolution->weights * A::rows);
  if (tabulated()) {
    (*c_.tables)[t]->evaluate(edges, graph_.r.data() + 3 * chunk.edge_begin, weights);
  } else {
    const T* basis = arrays_.radial.data() + chunk.edge_begin * c_.basis.count * A::rows;
    layer.radial.template forward<A>(c_.weights, edges, basis, arrays.radial, weights);
  }
  if (!layer.convolution->couplings_are_harmonics) {
    couple<A>(*layer.convolution, edges, harmonics, arrays_.harmonics.data() + chunk.edge_begin * harmonics,
              arrays.couplings.reserve(edges * layer.convolution->couplings));
  }
}

template <class A>
EdgeBatch<A> MacePass<A>::edge_batch(int t, const typename MaceArrays<A>::Chunk& chunk) {
  const Convolution& convolution = *c_.plan->layers[t].convolution;
  auto& arrays = arrays_.layers[t];
  EdgeBatch<A> batch{chunk.row_begin, chunk.row_end,       chunk.edge_begin,
                     chunk.edge_end,  graph_.first.data(), graph_.sender.data()};
  batch.couplings = convolution.couplings_are_harmonics
                        ? arrays_.harmonics.data() + chunk.edge_begin * convolution.couplings
                        : arrays.couplings.data();
  batch.weights = arrays.radial_weights.data();
  return batch;
}

template <class A>
void MacePass<A>::convolve_chunks(int t) {
  const MaceLayer& layer = c_.plan->layers[t];
  auto& arrays = arrays_.layers[t];
  const Features<A> up = features(arrays.up, layer.in, graph_.senders);
  const Features<A> mid = features(arrays.mid, layer.convolution->out, graph_.rows);
  for (const auto& chunk : arrays_.chunks) {
    radial_and_couplings(t, chunk);
    convolve<A>(*layer.convolution, edge_batch(t, chunk), up, mid);
  }
}

template <class A>
void MacePass<A>::convolve_chunks_backward(int t, const Features<A>& g_mid, const Features<A>& g_up) {
  const MaceLayer& layer = c_.plan->layers[t];
  const Convolution& convolution = *layer.convolution;
  auto& arrays = arrays_.layers[t];
  const int harmonics = (c_.shape->l_max + 1) * (c_.shape->l_max + 1), count = c_.basis.count;
  const Features<A> up = features(arrays.up, layer.in, graph_.senders);
  for (const auto& chunk : arrays_.chunks) {
    const long edges = chunk.edge_end - chunk.edge_begin;
    if (arrays_.chunks.size() > 1) radial_and_couplings(t, chunk);
    T* g_couplings = A::dual ? nullptr : arrays_.g_couplings.reserve(edges * convolution.couplings);
    convolve_backward<A>(convolution, edge_batch(t, chunk), up, g_mid, g_up, g_couplings);
    if constexpr (!A::dual) {
      couple_backward<T>(convolution, edges, harmonics, g_couplings,
                         arrays_.g_harmonics.data() + chunk.edge_begin * harmonics);
    }
    if (tabulated()) {
      (*c_.tables)[t]->backward(edges, graph_.r.data() + 3 * chunk.edge_begin, arrays.radial_weights.data(),
                                arrays_.g_length.data() + chunk.edge_begin);
    } else {
      layer.radial.template backward<A>(c_.weights, edges, arrays_.radial.data() + chunk.edge_begin * count * A::rows,
                                        arrays.radial, arrays.radial_weights.data(),
                                        A::dual ? nullptr : arrays_.g_radial.data() + chunk.edge_begin * count,
                                        weight_gradient_);
    }
  }
}

template class MacePass<Plain<float>>;
template class MacePass<Plain<double>>;
template class MacePass<WithTangent<float>>;
template class MacePass<WithTangent<double>>;

}  // namespace isotrope
