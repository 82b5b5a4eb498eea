// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/degree_embedding.hpp"
#include "layers/device_graph.hpp"
#include "layers/edge_pairs.hpp"
#include "layers/edge_product.hpp"
#include "layers/halo.hpp"
#include "layers/linear.hpp"
#include "layers/radial_table.hpp"
#include "models/tdn_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused.
template <class A>
struct TdnArrays {
  using T = typename A::Real;
  using N = typename A::Num;
  struct Attention {
    Buffer<T> source, target, aggregated;
    Buffer<T> radial;            ///< of all pairs, else as the others
    Buffer<T> scalars, vectors;  ///< of all edges where they are kept, else of the chunk at hand
    Buffer<N> logit, weight;     ///< of all edges
    Buffer<T> g_message;         ///< [edges][m][pad] values of adjoints, where a plain pass left them
  };
  struct Block {
    Buffer<T> in, normed_1, middle, normed_2, feed_scalars, feed_vectors, gated;
    Attention attention;
  };
  struct Radial {
    EdgePairs pairs;
    bool paired = false;               ///< one row a pair; else one an edge of the chunk at hand
    bool slopes = false;               ///< after each row of radial weights comes that of their slopes
    Buffer<Length<A>> length;          ///< [pairs]
    Buffer<Dual<double>> variable;     ///< lengths with tangent 1, where slopes are wanted
    Buffer<T> gaussians, g_gaussians;  ///< [pairs or edges][row][gaussians]
    Buffer<T> g_sum;                   ///< [pairs][row][pad] adjoint
    std::vector<typename NormedMlp::Scratch<A>> scratch;  ///< of each network where they are kept, else of the last
    typename NormedMlp::Scratch<WithTangent<T>> slope_scratch;
  };
  std::vector<Block> blocks;
  Radial radial;
  Attention force;
  Buffer<Length<A>> length;                  ///< [edges]
  Buffer<N> harmonics, couplings, envelope;  ///< [edges][d], [edges][d][d], [edges]
  Buffer<T> degree, degree_radial;           ///< sums over neighbours; radial weights of the pairs or of the chunk
  Buffer<N> count, g_count;                  ///< [rows]
  Buffer<T> out, normed, energy_before, energy_after, energy_column, force_features, force_column;
  Buffer<double> energy;  ///< [nodes] of the network
  // of the attention at hand
  PackedMatrix<T> wide_scalars, wide_vectors, wide_scalars_back, wide_vectors_back;
  // of the chunk at hand
  Buffer<T> message, g_scalars, g_vectors, g_radial;
  Buffer<N> g_weight;
  // adjoints
  Buffer<N> seed, force_seed;  ///< [nodes], [rows][3]
  Buffer<T> g_x, g_normed, g_gated, g_aggregated, g_source, g_target, g_column, g_hidden;
  Buffer<T> g_couplings, g_harmonics;
  Buffer<double> g_envelope, g_length, g_r;  ///< [edges], [edges], [edges][3]

  struct Chunk {
    int row_begin, row_end;
    long edge_begin, edge_end;
  };
  std::vector<Chunk> chunks;
  bool kept = false;          ///< whether what forward computed on the edges is there for backward
  bool values_there = false;  ///< of duals: whether a plain pass left the values of what linear layers make of edges
  /// Of a chunk with more than one receiver, in all its arrays, without tangents: what the second cache holds.
  long chunk_numbers = 1 << 19;
  long most_kept = 1L << 26;  ///< numbers
};

/// What one pass is for.
struct TdnPurpose {
  bool direct = false;    ///< evaluates the force head
  bool backward = false;  ///< backward follows
  bool edges = false;     ///< backward ends in dE/dr
};

/// One pass of TDN over a graph: forward and its adjoint, written once for plain numbers (energies and dE/dr; or, with
/// places for the gradients of weights, that of a loss on energies and direct forces) and for duals (whose adjoint
/// gives the gradient of a loss on forces that are derivatives).
///
/// Nodes are the rows of the graph and then, where the energy of an atom without neighbours is subtracted, one lone
/// atom of each species: it passes through the layers as they do.
template <class A>
class TdnPass {
 public:
  using T = typename A::Real;
  using N = typename A::Num;
  struct Constants {
    const TdnShape* shape;
    const TdnWeights* plan;
    const EdgeProduct* product;
    const double* scale;  ///< [species], on the device
    const T* weights;     ///< prepared
    /// of the degree embedding, of the blocks, of the force head; in place of the radial networks, or null
    const std::vector<std::unique_ptr<RadialTable<T>>>* tables;
  };
  /// `weight_gradient` is null where none is wanted.
  TdnPass(const Constants& constants, TdnPurpose purpose, DeviceGraph& graph, Halo& halo, TdnArrays<A>& arrays,
          T* weight_gradient);

  /// Has a plain pass that ends in dE/dr leave what linear layers make of edges, and of their adjoints, in the arrays
  /// of a dual pass over the same graph with the same weights, which then has the tangents alone to form. Returns
  /// false, and leaves nothing, where that does not fit into what those arrays may keep.
  bool leave_values_to(TdnArrays<WithTangent<T>>& duals);

  void forward();
  /// Seeds: the energies of atoms by `scale`, for duals with tangent scale * graph.seed; for the gradient of a loss in
  /// plain numbers scale * graph.seed. Direct forces by arrays.force_seed.
  void backward();

  long nodes() const { return nodes_; }

 private:
  using Attention = typename TdnArrays<A>::Attention;
  using Chunk = typename TdnArrays<A>::Chunk;

  void embed_edges();
  void embed_atoms();
  void block(int t);
  void read_energies();
  void read_forces();

  void seed_energies();
  void read_energies_backward(const Features<A>& g_normed);
  void read_forces_backward(const Features<A>& g_normed);
  void block_backward(int t, const Features<A>& g_x);
  void embed_atoms_backward(const Features<A>& g_x);
  void edges_backward();

  /// Attention over the normed features x; the sum over neighbours is left in `out`.
  void attention(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape, const Features<A>& x,
                 const Features<A>& out);
  void attention_backward(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                          const Features<A>& x, const Features<A>& g_out, const Features<A>& g_x);
  void sender_features(const TdnAttention& w, Attention& arrays, const Features<A>& x);
  void sender_features_backward(const TdnAttention& w, const Features<A>& x, const Features<A>& g_x);
  void edges_forward(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                     const AttentionEdges<A>& e);
  void pack_wide(const WideMatrix& wide);
  void pack_wide_backward(const WideMatrix& wide);
  void wide_forward(const AttentionShape& shape, const AttentionEdges<A>& e);
  void wide_backward(const Attention& arrays, const AttentionShape& shape, const AttentionEdges<A>& e,
                     const AttentionAdjoint<A>& adjoint);
  void leave_values(int table, const AttentionShape& shape, const AttentionEdges<A>& e);
  void leave_adjoints(int table, const AttentionShape& shape, const AttentionEdges<A>& e);
  void recompute(const TdnAttention& w, Attention& arrays, int table, const AttentionShape& shape,
                 const AttentionEdges<A>& e);
  void wide_weight_gradient(const WideMatrix& w, long atoms, const T* x, const T* g_scalars, const T* g_vectors, int d);

  void prepare_radial();
  void basis_functions(long count, const Length<A>* length);
  void evaluate_network(const NormedMlp& network, int table, long count, T* out);
  typename NormedMlp::Scratch<A>& scratch_of(int table);
  void place_radial(Buffer<T>& buffer, long all, long start, AttentionEdges<A>& e);
  void radial_weights(const NormedMlp& network, int table, Buffer<T>& out);
  void chunk_radial_weights(const NormedMlp& network, int table, const AttentionEdges<A>& e);
  void begin_radial_gradients();
  void end_radial_gradients();
  void begin_radial_backward(const NormedMlp& network, int table, Buffer<T>& out);
  void chunk_radial_backward(const NormedMlp& network, int table, const AttentionEdges<A>& e);
  void end_radial_backward(const NormedMlp& network, int table);
  AttentionEdges<A> edges_of(const Chunk& chunk);
  AttentionEdges<A> edges_of(Attention& arrays, const AttentionShape& shape, const Chunk& chunk);
  AttentionAdjoint<A> adjoint_of(const AttentionShape& shape, const AttentionEdges<A>& e);
  AttentionWeights<T> attention_weights_of(const TdnAttention& w) const;
  AttentionGradients<T> attention_gradients_of(const TdnAttention& w) const;
  void split_into_chunks();
  long kept_numbers(int rows, bool networks) const;

  /// The last block feeds the energy alone, by scalars, where no force head follows.
  bool scalars_only(int t) const { return t + 1 == c_.shape->layers && !purpose_.direct; }
  const Layout& layout_of(int t) const { return scalars_only(t) ? c_.plan->scalars : c_.plan->features; }
  AttentionShape block_shape(int t) const;
  AttentionShape force_shape() const;
  Features<A> input_of(int t);  ///< of block t; the output of the last for t = layers
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms) {
    return reserve_features<A>(buffer, layout, atoms);
  }
  bool tabulated() const { return !A::dual && !weight_gradient_ && c_.tables; }
  T* place(std::size_t at) const { return weight_gradient_ ? weight_gradient_ + at : nullptr; }
  static int components(const Layout& layout) { return static_cast<int>(layout.width / layout.block[0].pad); }

  Constants c_;
  TdnPurpose purpose_;
  DeviceGraph& graph_;
  Halo& halo_;
  TdnArrays<A>& arrays_;
  T* weight_gradient_;
  TdnArrays<WithTangent<T>>* duals_ = nullptr;  ///< where values are left
  long nodes_;
  int pad_, d_;
};

}  // namespace isotrope
