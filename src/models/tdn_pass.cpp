// SPDX-License-Identifier: MIT
#include "models/tdn_pass.hpp"

#include "layers/channels.hpp"
#include "layers/edge_embedding.hpp"
#include "layers/gate.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/readout.hpp"

namespace isotrope {
namespace {

/// Scalars of each node from its species (lone atoms follow the rows, one a species); the rest stays as it is.
template <class A>
struct AddSpecies {
  using T = typename A::Real;
  long rows;
  const int* species;
  const T* table;
  Features<A> x;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int pad = x.layout.block[0].pad, s = i < rows ? species[i] : static_cast<int>(i - rows);
    T* row = x.at(0, i, 0) + b * lane_width<T>;
    store_lane(row, Lane<T>(load_lane(row) + load_lane(table + s * pad + b * lane_width<T>)));
  }
};

template <class A>
struct SpeciesGradient {
  using T = typename A::Real;
  const int* species;
  long rows;
  Features<A> g;
  T* gradient;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const int pad = g.layout.block[0].pad, s = i < rows ? species[i] : static_cast<int>(i - rows);
    add_weight_gradient<A>(gradient + s * pad + b * lane_width<T>, A::load(g.at(0, i, 0) + b * lane_width<T>, pad));
  }
};

/// The adjoint of each node's energy. An atom without neighbours has energy 0 by definition.
template <class A>
struct SeedNodes {
  using N = typename A::Num;
  using T = typename A::Real;
  const long* first;
  const int* species;
  const double *scale, *tangent;
  long rows;
  bool loss;
  N* seed;
  KOKKOS_FUNCTION void operator()(long i) const {
    seed[i] = N{};
    if (i >= rows || first[i] == first[i + 1]) return;
    const double s = scale[species[i]];
    if constexpr (A::dual) {
      seed[i] = {static_cast<T>(s), static_cast<T>(s * tangent[i])};
    } else {
      seed[i] = static_cast<T>(loss ? s * tangent[i] : s);
    }
  }
};
template <class A>
struct SeedLoneAtom {
  typename A::Num* seed;
  int begin, end;
  long lone;
  KOKKOS_FUNCTION void operator()(long) const {
    typename A::Num sum{};
    for (int i = begin; i < end; ++i) sum += seed[i];
    seed[lone] = -sum;
  }
};

}  // namespace

template <class A>
TdnPass<A>::TdnPass(const Constants& constants, TdnPurpose purpose, DeviceGraph& graph, Halo& halo,
                    TdnArrays<A>& arrays, T* weight_gradient)
    : c_(constants),
      purpose_(purpose),
      graph_(graph),
      halo_(halo),
      arrays_(arrays),
      weight_gradient_(weight_gradient),
      nodes_(graph.rows + (constants.shape->isolated_zero ? constants.shape->species : 0)),
      pad_(constants.plan->scalars.block[0].pad),
      d_(constants.product->d) {
  arrays_.blocks.resize(c_.shape->layers);
}

template <class A>
void TdnPass<A>::forward() {
  embed_edges();
  prepare_radial();
  split_into_chunks();
  embed_atoms();
  for (int t = 0; t < c_.shape->layers; ++t) block(t);
  const Features<A> out = input_of(c_.shape->layers), normed = features(arrays_.normed, out.layout, nodes_);
  normalise<A>(c_.plan->norm, c_.weights, out, normed);
  read_energies();
  if (purpose_.direct) read_forces();
}

template <class A>
void TdnPass<A>::backward() {
  seed_energies();
  if (purpose_.edges) {
    arrays_.g_couplings.zeros(graph_.edges * d_ * d_);
    arrays_.g_envelope.zeros(graph_.edges);
    arrays_.g_length.zeros(graph_.edges);
  }
  begin_radial_gradients();
  const Features<A> out = input_of(c_.shape->layers);
  const Features<A> g_normed = zero_features<A>(arrays_.g_normed, out.layout, nodes_);
  read_energies_backward(g_normed);
  if (purpose_.direct && weight_gradient_) read_forces_backward(g_normed);
  const Features<A> g_x = zero_features<A>(arrays_.g_x, c_.plan->features, nodes_);
  normalise_backward<A>(c_.plan->norm, c_.weights, out, g_normed, g_x, weight_gradient_);
  for (int t = c_.shape->layers - 1; t >= 0; --t) block_backward(t, g_x);
  embed_atoms_backward(g_x);
  end_radial_gradients();
  if (purpose_.edges) edges_backward();
}

template <class A>
Features<A> TdnPass<A>::input_of(int t) {
  if (t < c_.shape->layers) return features(arrays_.blocks[t].in, c_.plan->features, nodes_);
  return features(arrays_.out, layout_of(t - 1), nodes_);
}

/// What depends on the edges alone and serves all layers.
template <class A>
void TdnPass<A>::embed_edges() {
  const TdnShape& s = *c_.shape;
  const Envelope end = Envelope::polynomial(s.cutoff_power, s.cutoff);
  N* harmonics = arrays_.harmonics.reserve(graph_.edges * d_);
  isotrope::embed_edges<A>({0, end}, {s.l_max}, graph_.edges, graph_.r.data(), graph_.dr.data(), nullptr, harmonics);
  c_.product->template contract<A>(graph_.edges, harmonics, arrays_.couplings.reserve(graph_.edges * d_ * d_));
  edge_lengths<A>(graph_.edges, graph_.r.data(), graph_.dr.data(), arrays_.length.reserve(graph_.edges));
  if (s.smooth()) {
    edge_envelope<A>(end, graph_.edges, arrays_.length.data(), arrays_.envelope.reserve(graph_.edges));
  }
}

/// The element's row of the table, and the neighbours' directions.
template <class A>
void TdnPass<A>::embed_atoms() {
  const Features<A> sums = zero_features<A>(arrays_.degree, c_.plan->features, nodes_), x = input_of(0);
  N* count = arrays_.count.reserve(graph_.rows);
  radial_weights(c_.plan->degree_radial, 0, arrays_.degree_radial);
  for (const Chunk& chunk : arrays_.chunks) {
    AttentionEdges<A> e = edges_of(chunk);
    place_radial(arrays_.degree_radial, e.edges, 0, e);
    chunk_radial_weights(c_.plan->degree_radial, 0, e);
    degree_embedding<A>(block_shape(0), e, c_.weights + c_.plan->degree, sums, count);
  }
  const BiasedMatrix& project = c_.plan->degree_project;
  linear_forward<A>(c_.weights, project.matrix, nodes_ * d_, sums.data, pad_, 0, x.data, pad_);
  add_counted_bias<A>(x, graph_.rows, count, c_.weights + project.bias);
  for_channels("isotrope::tdn::add_species", static_cast<int>(nodes_), pad_ / lane_width<T>,
               AddSpecies<A>{graph_.rows, graph_.species.data(), c_.weights + c_.plan->embedding, x});
}

template <class A>
void TdnPass<A>::embed_atoms_backward(const Features<A>& g_x) {
  const BiasedMatrix& project = c_.plan->degree_project;
  if (weight_gradient_) {
    for_channels("isotrope::tdn::species_gradient", static_cast<int>(nodes_), pad_ / lane_width<T>,
                 SpeciesGradient<A>{graph_.species.data(), graph_.rows, g_x, place(c_.plan->embedding)});
  }
  N* g_count = arrays_.g_count.reserve(graph_.rows);
  add_counted_bias_backward<A>(g_x, graph_.rows, arrays_.count.data(), c_.weights + project.bias, g_count,
                               place(project.bias));
  const Features<A> sums = features(arrays_.degree, c_.plan->features, nodes_);
  const Features<A> g_sums = features(arrays_.g_aggregated, c_.plan->features, nodes_);
  linear_weight_gradient<A>(project.matrix, nodes_ * d_, sums.data, pad_, g_x.data, pad_, weight_gradient_);
  linear_backward<A>(c_.weights, project.matrix, nodes_ * d_, g_x.data, pad_, 0, g_sums.data, pad_);
  begin_radial_backward(c_.plan->degree_radial, 0, arrays_.degree_radial);
  for (const Chunk& chunk : arrays_.chunks) {
    AttentionEdges<A> e = edges_of(chunk);
    place_radial(arrays_.degree_radial, e.edges, 0, e);
    chunk_radial_weights(c_.plan->degree_radial, 0, e);
    degree_embedding_backward<A>(block_shape(0), e, c_.weights + c_.plan->degree, g_sums, g_count,
                                 adjoint_of(block_shape(0), e), place(c_.plan->degree));
    chunk_radial_backward(c_.plan->degree_radial, 0, e);
  }
  end_radial_backward(c_.plan->degree_radial, 0);
}

/// x + attention(norm(x)), then that + feed-forward(norm(that)).
template <class A>
void TdnPass<A>::block(int t) {
  const TdnBlock& w = c_.plan->blocks[t];
  auto& arrays = arrays_.blocks[t];
  const Layout& layout = layout_of(t);
  const int d = components(layout);
  const Features<A> x = input_of(t), normed_1 = features(arrays.normed_1, c_.plan->features, nodes_);
  const Features<A> aggregated = zero_features<A>(arrays.attention.aggregated, layout, nodes_);
  const Features<A> middle = features(arrays.middle, layout, nodes_);
  normalise<A>(w.norm_1, c_.weights, x, normed_1);
  attention(w.attention, arrays.attention, t + 1, block_shape(t), normed_1, aggregated);
  copy_numbers<T>(static_cast<long>(middle.size()), x.data, middle.data);
  linear_forward<A>(c_.weights, w.attention.project.matrix, nodes_ * d, aggregated.data, pad_, 1, middle.data, pad_);
  add_bias<A>(nodes_, pad_, c_.weights + w.attention.project.bias, middle.data);

  const Features<A> normed_2 = features(arrays.normed_2, layout, nodes_),
                    gated = features(arrays.gated, layout, nodes_);
  normalise<A>(w.norm_2, c_.weights, middle, normed_2);
  T* scalars = arrays.feed_scalars.reserve(nodes_ * 2 * pad_ * A::rows);
  T* vectors = arrays.feed_vectors.reserve(nodes_ * (d - 1) * pad_ * A::rows);
  linear_forward<A>(c_.weights, w.feed_1.scalars, nodes_, normed_2.data, pad_, 0, scalars, 2 * pad_);
  linear_forward<A>(c_.weights, w.feed_1.vectors, nodes_ * (d - 1), normed_2.data + nodes_ * pad_ * A::rows, pad_, 0,
                    vectors, pad_);
  gate<A>({scalars, {vectors, nodes_, c_.plan->higher}, c_.weights + w.feed_1.bias}, gated);
  const Features<A> next = input_of(t + 1);
  copy_numbers<T>(static_cast<long>(middle.size()), middle.data, next.data);
  linear_forward<A>(c_.weights, w.feed_2.matrix, nodes_ * d, gated.data, pad_, 1, next.data, pad_);
  add_bias<A>(nodes_, pad_, c_.weights + w.feed_2.bias, next.data);
}

/// g_x: of the block's output, then of its input.
template <class A>
void TdnPass<A>::block_backward(int t, const Features<A>& g_x) {
  const TdnBlock& w = c_.plan->blocks[t];
  auto& arrays = arrays_.blocks[t];
  const Layout& layout = layout_of(t);
  const int d = components(layout);
  const Features<A> gated = features(arrays.gated, layout, nodes_), g_gated = features(arrays_.g_gated, layout, nodes_);
  linear_weight_gradient<A>(w.feed_2.matrix, nodes_ * d, gated.data, pad_, g_x.data, pad_, weight_gradient_);
  add_bias_gradient<A>(nodes_, pad_, g_x.data, place(w.feed_2.bias));
  linear_backward<A>(c_.weights, w.feed_2.matrix, nodes_ * d, g_x.data, pad_, 0, g_gated.data, pad_);
  T *scalars = arrays.feed_scalars.data(), *vectors = arrays.feed_vectors.data();
  gate_backward<A>({scalars, {vectors, nodes_, c_.plan->higher}, c_.weights + w.feed_1.bias}, g_gated);
  const Features<A> normed_2 = features(arrays.normed_2, layout, nodes_);
  wide_weight_gradient(w.feed_1, nodes_, normed_2.data, scalars, vectors, d);
  add_bias_gradient<A>(nodes_, 2 * pad_, scalars, place(w.feed_1.bias));
  const Features<A> g_normed = features(arrays_.g_normed, layout, nodes_);
  linear_backward<A>(c_.weights, w.feed_1.scalars, nodes_, scalars, 2 * pad_, 0, g_normed.data, pad_);
  linear_backward<A>(c_.weights, w.feed_1.vectors, nodes_ * (d - 1), vectors, pad_, 0,
                     g_normed.data + nodes_ * pad_ * A::rows, pad_);
  normalise_backward<A>(w.norm_2, c_.weights, features(arrays.middle, layout, nodes_), g_normed, g_x, weight_gradient_);

  const BiasedMatrix& project = w.attention.project;
  const Features<A> aggregated = features(arrays.attention.aggregated, layout, nodes_);
  const Features<A> g_aggregated = features(arrays_.g_aggregated, layout, nodes_);
  linear_weight_gradient<A>(project.matrix, nodes_ * d, aggregated.data, pad_, g_x.data, pad_, weight_gradient_);
  add_bias_gradient<A>(nodes_, pad_, g_x.data, place(project.bias));
  linear_backward<A>(c_.weights, project.matrix, nodes_ * d, g_x.data, pad_, 0, g_aggregated.data, pad_);
  const Features<A> g_normed_1 = zero_features<A>(arrays_.g_normed, c_.plan->features, nodes_);
  attention_backward(w.attention, arrays.attention, t + 1, block_shape(t),
                     features(arrays.normed_1, c_.plan->features, nodes_), g_aggregated, g_normed_1);
  normalise_backward<A>(w.norm_1, c_.weights, input_of(t), g_normed_1, g_x, weight_gradient_);
}

template <class A>
void TdnPass<A>::wide_weight_gradient(const WideMatrix& w, long atoms, const T* x, const T* g_scalars,
                                      const T* g_vectors, int d) {
  linear_weight_gradient<A>(w.scalars, atoms, x, pad_, g_scalars, w.scalars.out, weight_gradient_);
  linear_weight_gradient<A>(w.vectors, atoms * (d - 1), x + atoms * pad_ * A::rows, pad_, g_vectors, pad_,
                            weight_gradient_);
}

template <class A>
void TdnPass<A>::read_energies() {
  const BiasedMatrix &first = c_.plan->energy_1, &second = c_.plan->energy_2;
  T* before = arrays_.energy_before.reserve(nodes_ * pad_ * A::rows);
  T* after = arrays_.energy_after.reserve(nodes_ * pad_ * A::rows);
  linear_forward<A>(c_.weights, first.matrix, nodes_, arrays_.normed.data(), pad_, 0, before, pad_);
  add_bias<A>(nodes_, pad_, c_.weights + first.bias, before);
  activate<A>(nodes_, pad_, 1, before, after);
  if constexpr (!A::dual) {  // the dual pass reads no energies, only their adjoints
    const int width = second.matrix.out;
    T* column = arrays_.energy_column.reserve(nodes_ * width);
    linear_forward<A>(c_.weights, second.matrix, nodes_, after, pad_, 0, column, width);
    add_bias<A>(nodes_, width, c_.weights + second.bias, column);
    add_column<T>(nodes_, column, width, arrays_.energy.zeros(nodes_));
  }
}

template <class A>
void TdnPass<A>::seed_energies() {
  N* seed = arrays_.seed.reserve(nodes_);
  for_each("isotrope::tdn::seed_nodes", nodes_,
           SeedNodes<A>{graph_.first.data(), graph_.species.data(), c_.scale, graph_.seed.data(), graph_.rows,
                        weight_gradient_ != nullptr, seed});
  const std::vector<int> segment = graph_.segment_of({0, graph_.rows});
  for (long s = 0; s < nodes_ - graph_.rows; ++s) {
    for_each("isotrope::tdn::seed_lone_atom", 1, SeedLoneAtom<A>{seed, segment[s], segment[s + 1], graph_.rows + s});
  }
}

template <class A>
void TdnPass<A>::read_energies_backward(const Features<A>& g_normed) {
  const BiasedMatrix &first = c_.plan->energy_1, &second = c_.plan->energy_2;
  const int width = second.matrix.out;
  T* column = arrays_.g_column.reserve(nodes_ * width * A::rows);
  seed_column<A>(nodes_, arrays_.seed.data(), width, column);
  linear_weight_gradient<A>(second.matrix, nodes_, arrays_.energy_after.data(), pad_, column, width, weight_gradient_);
  add_bias_gradient<A>(nodes_, width, column, place(second.bias));
  T* hidden = arrays_.g_hidden.reserve(nodes_ * pad_ * A::rows);
  linear_backward<A>(c_.weights, second.matrix, nodes_, column, width, 0, hidden, pad_);
  activate_backward<A>(nodes_, pad_, 1, arrays_.energy_before.data(), hidden, hidden);
  linear_weight_gradient<A>(first.matrix, nodes_, arrays_.normed.data(), pad_, hidden, pad_, weight_gradient_);
  add_bias_gradient<A>(nodes_, pad_, hidden, place(first.bias));
  linear_backward<A>(c_.weights, first.matrix, nodes_, hidden, pad_, 1, g_normed.data, pad_);
}

/// One more attention, of which only the vectors (l = 1) are wanted, projected on one channel.
template <class A>
void TdnPass<A>::read_forces() {
  const long rows = graph_.rows;
  const Layout vectors = c_.plan->vectors;
  const Features<A> aggregated = features(arrays_.force.aggregated, vectors, rows);
  const Features<A> projected = features(arrays_.force_features, vectors, rows);
  attention(c_.plan->force, arrays_.force, c_.shape->layers + 1, force_shape(),
            features(arrays_.normed, c_.plan->features, nodes_), aggregated);
  linear_forward<A>(c_.weights, c_.plan->force.project.matrix, 3 * rows, aggregated.data, pad_, 0, projected.data,
                    pad_);
  const int width = c_.plan->force_project.out;
  linear_forward<A>(c_.weights, c_.plan->force_project, 3 * rows, projected.data, pad_, 0,
                    arrays_.force_column.reserve(3 * rows * width * A::rows), width);
}

template <class A>
void TdnPass<A>::read_forces_backward(const Features<A>& g_normed) {
  const long rows = graph_.rows;
  const Layout vectors = c_.plan->vectors;
  const Matrix &last = c_.plan->force_project, &project = c_.plan->force.project.matrix;
  T* column = arrays_.g_column.reserve(3 * rows * last.out * A::rows);
  seed_column<A>(3 * rows, arrays_.force_seed.data(), last.out, column);
  const Features<A> aggregated = features(arrays_.force.aggregated, vectors, rows);
  const Features<A> projected = features(arrays_.force_features, vectors, rows);
  const Features<A> g_projected = features(arrays_.g_gated, vectors, rows);
  const Features<A> g_aggregated = features(arrays_.g_aggregated, vectors, rows);
  linear_weight_gradient<A>(last, 3 * rows, projected.data, pad_, column, last.out, weight_gradient_);
  linear_backward<A>(c_.weights, last, 3 * rows, column, last.out, 0, g_projected.data, pad_);
  linear_weight_gradient<A>(project, 3 * rows, aggregated.data, pad_, g_projected.data, pad_, weight_gradient_);
  linear_backward<A>(c_.weights, project, 3 * rows, g_projected.data, pad_, 0, g_aggregated.data, pad_);
  attention_backward(c_.plan->force, arrays_.force, c_.shape->layers + 1, force_shape(),
                     features(arrays_.normed, c_.plan->features, nodes_), g_aggregated, g_normed);
}

template class TdnPass<Plain<float>>;
template class TdnPass<Plain<double>>;
template class TdnPass<WithTangent<float>>;
template class TdnPass<WithTangent<double>>;

}  // namespace isotrope
