// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/density_norm.hpp"
#include "layers/device_graph.hpp"
#include "layers/edge_stream.hpp"
#include "layers/halo.hpp"
#include "layers/zbl.hpp"
#include "models/mace_pass_weights.hpp"
#include "models/mace_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused. Of plain numbers a layer keeps
/// its input features alone for all atoms, and their adjoint replaces them on the way back; what neighbours read exists
/// for one layer at a time, the rest for a block of receivers, and is evaluated again on the way back where
/// there is no room to keep it. Duals have one block and keep what the weights' gradient reads.
template <class A>
struct MaceArrays {
  using T = typename A::Real;
  /// Of a block of receivers on its way through a layer.
  struct Block {
    Buffer<T> mid, message, a, b;
    Buffer<T> readout_before, readout_after;
    Buffer<typename A::Num> density;  ///< [rows] where messages are divided by it
  };
  struct Layer {
    Buffer<T> in;             ///< features, block after block
    Buffer<T> ghosts;         ///< what ghosts showed (plain numbers)
    Buffer<T> up, g_in;       ///< duals
    std::vector<Block> kept;  ///< of the first blocks (plain numbers: what the way back reads)
    MacePassWeights<T> weights;
  };
  std::vector<Layer> layers;
  Block block;  ///< the one at hand
  EdgeArrays<A> edges;
  Buffer<T> elements, out;                  ///< [block] features before the first layer and after the last
  Buffer<T> up, g_up;                       ///< what the senders of the layer at hand show, and its adjoint
  Buffer<typename A::Num> seed, g_density;  ///< [rows]
  Buffer<T> table, table_up, g_table, g_table_up;
  Buffer<T> g_out, g_mid, g_message, g_a, g_b, readout, g_readout, g_readout_hidden;
  Buffer<double> energy;  ///< [rows]
  /// Receivers of a block (plain numbers): on a host its arrays shall stay in cache (64 receivers of 128 channels take
  /// 0.5 to 1.3 MB each in single precision), a device wants work for all of its threads.
  int block_rows = serial_space ? 64 : 4096;
  std::vector<char> prepared;  ///< [species] that `weights` of the layers have
  long prepared_of = -1;       ///< the set of weights that they come from
  long most_kept = 1 << 23;    ///< numbers of blocks that are kept: the first 4,096 atoms of 128 channels,
  long kept_per_row = 1200;    ///< or as many of a larger graph as this comes to in the mean
};

/// One pass of MACE over a graph, there and back: energies and dE/dr from plain numbers, dL/d(parameters) from duals.
template <class A>
class MacePass {
 public:
  using T = typename A::Real;
  struct Constants {
    const MaceShape* shape;
    const MaceWeights* plan;
    EdgeModel<T> edges;   ///< MACE's edge vectors point from the sender to the receiver
    const double* scale;  ///< [species], on the device
    const T* weights;     ///< prepared
    const Zbl* zbl = nullptr;
    long set = 0;  ///< of weights: another number, other weights
  };
  MacePass(const Constants& constants, DeviceGraph& graph, Halo& halo, MaceArrays<A>& arrays, T* weight_gradient);

  void run();

 private:
  struct Block {
    RowRange rows;
    std::vector<int> segment;  ///< [species + 1] where species begin, from the first row
    typename MaceArrays<A>::Block* arrays;
    bool kept;
  };
  Block block(int t, std::size_t k);
  template <class F>
  void for_species(int t, const Block& block, const F& f) const;
  std::size_t kept_blocks() const;

  void start();
  void prepare_weights();
  void pack_common(int t);
  void pack_for_species(int t, const std::vector<int>& species);
  std::vector<Matrix> left_to(int t, std::size_t l) const;
  std::vector<Matrix> right_after(int t) const;
  /// With the linear layer after the convolution.
  bool skip_is_merged(int t) const { return !A::dual && !c_.plan->layers[t].residual; }
  /// Its linear layer with those that read it, so that it is itself what the layer puts out.
  bool product_is_merged(int t) const { return !A::dual && t < last() && !c_.plan->layers[t].residual; }
  /// Its first matrix with those before it: what the last layer puts out is read by nothing else.
  bool readout_is_merged(int t) const { return !A::dual && t == last(); }
  void interact(int t);
  void turn_back();
  void interact_backward(int t);

  void show_features(int t);
  void show_features_again(int t);
  void features_of_senders(int t);
  void senders_backward(int t);
  void element_features_backward();
  void collect(int t, const Block& block);
  void linear_of_message(int t, const Block& block, const Features<A>& mid, const Features<A>& to);
  void linear_of_message_backward(int t, const Block& block, const Features<A>& mid, const Features<A>& g_message,
                                  const Features<A>& g_mid);
  void give_out(int t, const Block& block);
  void block_backward(int t, const Block& block);
  void paths_backward(int t, const Block& block, const Features<A>& g_message);

  void skip_forward(int t, const Block& block, const Features<A>& x, int added, const Features<A>& y);
  void skip_backward(int t, const Block& block, const Features<A>& x, const Features<A>& g_y, const Features<A>& g_x);
  void read_out(int t, const Block& block);
  void read_out_backward(int t, const Block& block, const Features<A>& g_h);

  Features<A> input_of(int t, const RowRange& rows);
  Features<A> adjoint_of(int t, const RowRange& rows);
  Features<A> rows_of(Buffer<T>& all, const Layout& layout, const RowRange& rows);
  SenderFeatures<A> shown(int t);
  Features<A> start_sender_adjoint(int t);
  Layout last_layout() const;
  Features<A> product(int t, const Block& block);
  Features<A> product_adjoint(int t, const Block& block);
  T* hidden_of(const Block& block);
  Features<A> message(int t, const Block& block);
  Features<A> contracted(int t, const Block& block);
  DensityInput<A> density_input(int t) const;
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms) {
    return reserve_features<A>(buffer, layout, atoms);
  }
  bool sender_adjoint_wanted(int t) const { return t > 0 || A::dual; }
  int last() const { return c_.shape->layers - 1; }

  Constants c_;
  DeviceGraph& graph_;
  Halo& halo_;
  MaceArrays<A>& arrays_;
  EdgeStream<A> edges_;
  T* weight_gradient_;
};

}  // namespace isotrope
