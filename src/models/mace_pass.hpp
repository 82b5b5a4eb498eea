// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/device_graph.hpp"
#include "layers/edge_embedding.hpp"
#include "layers/halo.hpp"
#include "layers/radial_table.hpp"
#include "models/mace_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused.
template <class A>
struct MaceArrays {
  using T = typename A::Real;
  struct Layer {
    Buffer<T> in, up, mid, message, a, b;  ///< features on their way through the layer
    Buffer<T> radial_weights;              ///< of the chunk of edges at hand
    Buffer<typename A::Num> couplings;     ///< of the chunk
    typename RadialMlp::Scratch<A> radial;
    Buffer<T> readout_before, readout_after, readout;
  };
  std::vector<Layer> layers;
  Buffer<T> out;                            ///< features after the last layer
  Buffer<T> radial, g_radial;               ///< [edges][row][num_bessel]
  Buffer<typename A::Num> harmonics, seed;  ///< [edges][(l_max+1)^2], [rows]
  Buffer<T> g_harmonics, g_couplings;
  Buffer<T> table, table_up, g_table, g_table_up;
  Buffer<T> g_out, g_in, g_up, g_mid, g_message, g_a, g_b, g_readout, g_readout_hidden;
  Buffer<double> g_length;     ///< [edges] dE/d|r| by way of tables
  Buffer<double> energy, g_r;  ///< [rows], [edges][3]
  struct Chunk {
    int row_begin, row_end;
    long edge_begin, edge_end;
  };
  std::vector<Chunk> chunks;
  long most_numbers = 1 << 24;    ///< of the radial weights of a chunk with more than one receiver
  long most_tabulated = 1 << 16;  ///< the same where they come from tables: as much as stays in cache
};

/// One pass of MACE over a graph: forward and its adjoint, written once for plain numbers (energies and dE/dr) and for
/// duals (whose adjoint gives dL/d(parameters)).
template <class A>
class MacePass {
 public:
  using T = typename A::Real;
  struct Constants {
    const MaceShape* shape;
    const MaceWeights* plan;
    BesselBasis basis;
    const double* scale;                                         ///< [species], on the device
    const T* weights;                                            ///< prepared
    const std::vector<std::unique_ptr<RadialTable<T>>>* tables;  ///< [layers] in place of the radial networks, or null
  };
  MacePass(const Constants& constants, DeviceGraph& graph, Halo& halo, MaceArrays<A>& arrays, T* weight_gradient);

  void forward();
  void backward();

 private:
  void embed_atoms();
  void interact(int t);
  void interact_backward(int t);
  void sender_features(int t);
  void sender_features_backward(int t);
  void convolve_chunks(int t);
  void convolve_chunks_backward(int t, const Features<A>& g_mid, const Features<A>& g_up);
  void radial_and_couplings(int t, const typename MaceArrays<A>::Chunk& chunk);
  EdgeBatch<A> edge_batch(int t, const typename MaceArrays<A>::Chunk& chunk);
  void skip_forward(int t, const Features<A>& x, T beta, const Features<A>& y);
  void skip_backward(int t, const Features<A>& x, const Features<A>& g_y, T beta, const Features<A>& g_x);
  void read_out(int t);
  void read_out_backward(int t);
  void split_into_chunks();

  Features<A> input_of(int t);  ///< of layer t; the output of the last layer for t = layers
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms);
  bool tabulated() const { return !A::dual && c_.tables; }
  bool sender_gradient_wanted(int t) const { return t > 0 || A::dual; }

  Constants c_;
  DeviceGraph& graph_;
  Halo& halo_;
  MaceArrays<A>& arrays_;
  T* weight_gradient_;
  const double sign_ = -1;  // MACE's edge vectors point from the sender to the receiver
};

}  // namespace isotrope
