// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/convolution.hpp"
#include "layers/device_graph.hpp"
#include "layers/edge_embedding.hpp"
#include "layers/edge_lengths.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/radial_table.hpp"

namespace isotrope {

/// Consecutive receivers with their edges.
struct EdgeChunk {
  RowRange rows;
  long edge_begin, edge_end;
};

/// What a model's edges pass through: the basis and the harmonics that all layers share, and of each layer the radial
/// network and the convolution that it weighs.
template <class T>
struct EdgeModel {
  struct Layer {
    const Convolution* convolution;
    const RadialMlp* radial;
  };
  BesselBasis basis;
  EdgeHarmonics harmonics;
  std::vector<Layer> layers;
  const T* weights = nullptr;                                            ///< prepared
  const std::vector<std::unique_ptr<RadialTable<T>>>* tables = nullptr;  ///< [layers] in place of networks, or null
  bool length_wanted = false;  ///< whether the model adds to the adjoint of the lengths itself
};

/// Arrays of one pass over edges, plain or with tangents; they grow and are reused.
template <class A>
struct EdgeArrays {
  using T = typename A::Real;
  /// What a layer makes of a chunk of edges.
  struct Chunk {
    int first = -1;  ///< receiver of the chunk that the numbers belong to, -1: none
    Buffer<T> weights;
    Buffer<typename A::Num> couplings;
    typename RadialMlp::Scratch<A> radial;
  };
  struct Layer {
    std::vector<Chunk> chunks;  ///< all of them, or one for that at hand
  };
  std::vector<Layer> layers;
  Buffer<T> radial, g_radial;         ///< [edges][row][count of the basis]
  Buffer<typename A::Num> harmonics;  ///< [edges][(l_max+1)^2], of the chunk where edges are streamed
  Buffer<T> g_harmonics;              ///< likewise
  Buffer<T> g_couplings;              ///< [edges of the chunk][couplings]
  int harmonics_first = -1;           ///< receiver of the chunk that they belong to where edges are streamed
  Buffer<int> sender_species;         ///< [edges of the chunk]
  Buffer<double> g_length;            ///< likewise [edges] dE/d|r| by other ways than the radial basis
  Buffer<Length<A>> length;           ///< [edges] and, where it acts on the radial weights, the envelope
  Buffer<typename A::Num> envelope;
  Buffer<double> g_envelope;
  Buffer<double> g_r;  ///< [edges][3]
  std::vector<RowRange> blocks;
  std::vector<EdgeChunk> chunks;  ///< each within a block
  long most_numbers = 1 << 24;    ///< of radial weights of a layer that are kept, and of a chunk of several receivers
  long most_couplings = 1 << 16;  ///< of its couplings where weights come from tables: as much as stays in cache
};

/// What senders show: features of every atom, or a table of those of every species.
template <class A>
struct SenderFeatures {
  Features<A> features;
  bool by_species = false;
};

/// The part of a model that streams over edges, chunk by chunk of receivers. Radial weights are the only array of size
/// edges x channels. Those of a small graph (a training batch) are kept for the adjoint; of others they exist for one
/// chunk at a time and are evaluated again.
template <class A>
class EdgeStream {
 public:
  using T = typename A::Real;
  /// `block`: how many receivers' messages the model takes at a time (0: all). `basis_gradient_wanted`: adjoints of the
  /// radial basis also in the pass with tangents (trained frequencies).
  EdgeStream(const EdgeModel<T>& model, DeviceGraph& graph, EdgeArrays<A>& arrays, int block = 0,
             bool basis_gradient_wanted = false);

  const std::vector<RowRange>& blocks() const { return arrays_.blocks; }

  void embed();
  void start_backward();
  /// Messages of the receivers of one block.
  void convolve(int t, const RowRange& block, const SenderFeatures<A>& senders, const Features<A>& messages);
  /// Adds the adjoint of the sender features to g_senders (none where its data is null) and weight gradients.
  void convolve_backward(int t, const RowRange& block, const SenderFeatures<A>& senders, const Features<A>& g_messages,
                         const Features<A>& g_senders, T* weight_gradient);
  /// dE/dr into the arrays' g_r.
  void finish_backward();

 private:
  void split_rows(int block);
  void split_block(const RowRange& block, long most_edges);
  template <class F>
  void for_chunks(const RowRange& block, const F& f) const;
  void radial_and_couplings(int t, const EdgeChunk& chunk);
  void add_to_edge_vectors(const EdgeChunk& chunk);
  typename EdgeArrays<A>::Chunk& arrays_of(int t, const EdgeChunk& chunk);
  const int* sender_rows(const EdgeChunk& chunk, bool by_species);
  EdgeBatch<A> batch(int t, const RowRange& block, const EdgeChunk& chunk, bool by_species);
  bool tabulated() const { return !A::dual && m_.tables; }
  /// Where nothing reads the radial basis or the lengths, harmonics and their adjoints exist for one chunk at a time.
  bool streamed() const { return tabulated() && m_.basis.count == 0 && !m_.length_wanted; }
  /// Where a chunk starts in arrays of harmonics.
  long start(const EdgeChunk& chunk) const { return streamed() ? 0 : chunk.edge_begin; }
  bool length_wanted() const { return tabulated() || !m_.basis.enveloped || m_.length_wanted; }
  /// The envelope of a chunk where it is not in the basis.
  const typename A::Num* envelope(const EdgeChunk& chunk) const {
    return m_.basis.enveloped ? nullptr : arrays_.envelope.data() + chunk.edge_begin;
  }
  bool couplings_are_harmonics(const Convolution& c) const {
    return c.couplings_are_harmonics && c.couplings == m_.harmonics.count();
  }

  const EdgeModel<T>& m_;
  DeviceGraph& graph_;
  EdgeArrays<A>& arrays_;
  bool basis_gradient_wanted_;
  bool kept_ = false;  ///< whether arrays of all chunks are
};

}  // namespace isotrope
