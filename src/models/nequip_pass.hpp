// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/device_graph.hpp"
#include "layers/edge_stream.hpp"
#include "layers/halo.hpp"
#include "models/nequip_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused. Of plain numbers every layer
/// keeps the gate's input alone, which its adjoint replaces on the way back, and what ghosts showed; the rest of a
/// layer follows from it, for a block of receivers at a time. Duals have one block and keep what the weights' gradient
/// reads.
template <class A>
struct NequipArrays {
  using T = typename A::Real;
  struct Layer {
    Buffer<T> gate;     ///< [block of receivers] the gate's input, then its adjoint
    Buffer<T> ghosts;   ///< what ghosts showed
    Buffer<T> up, mid;  ///< what senders show, and messages (duals)
  };
  std::vector<Layer> layers;
  EdgeArrays<A> edges;
  Buffer<T> up, g_up;            ///< what the senders of the layer at hand show, and its adjoint
  Buffer<T> h, g_h, mid, g_mid;  ///< features and messages of the block at hand, and their adjoints
  Buffer<typename A::Num> seed;  ///< [rows]
  Buffer<T> table, table_up, g_table, g_table_up;
  Buffer<T> readout_hidden, readout, g_readout, g_readout_hidden;
  Buffer<double> energy;  ///< [rows]
  int block = 128;        ///< receivers of a block (plain numbers)
};

/// One pass of NequIP over a graph: forward and its adjoint, written once for plain numbers (energies and dE/dr) and
/// for duals (whose adjoint gives dL/d(parameters)).
template <class A>
class NequipPass {
 public:
  using T = typename A::Real;
  struct Constants {
    const NequipShape* shape;
    const NequipWeights* plan;
    EdgeModel<T> edges;
    const double* scale;  ///< [species], on the device
    const T* weights;     ///< prepared
  };
  /// Gradients of the weights and of the Bessel frequencies [num_bessel]: for duals, else null.
  NequipPass(const Constants& constants, DeviceGraph& graph, Halo& halo, NequipArrays<A>& arrays, T* weight_gradient,
             double* frequency_gradient);

  void forward();
  void backward();

 private:
  void interact(int t);
  void interact_backward(int t);
  void show_features(int t);
  void show_features_again(int t);
  void features_of_senders(int t);
  void read_out(const RowRange& block);
  void read_out_backward(const RowRange& block);
  void input_backward(int t, const RowRange& block);
  void output_backward(int t, const RowRange& block, const Features<A>& g_h);
  void element_features_backward();
  void linear_1_forward(int t, const Features<A>& h, const Features<A>& up, int begin);
  void linear_1_backward(int t, const Features<A>& h, const Features<A>& g_up, int begin, const Features<A>& g_h);
  void self_forward(int t, const RowRange& block, const Features<A>& h, const Features<A>& y);
  void self_backward(int t, const RowRange& block, const Features<A>& h, const Features<A>& g_y,
                     const Features<A>& g_h);
  void linear_2_forward(int t, const Features<A>& mid, const Features<A>& y);
  void linear_2_backward(int t, const Features<A>& mid, const Features<A>& g_y, const Features<A>& g_mid);

  Features<A> input_of(int t, const RowRange& block);
  Features<A> gate(int t, const RowRange& block);
  Features<A> shown(int t) {
    return features(A::dual ? arrays_.layers[t].up : arrays_.up, c_.plan->layers[t].in, graph_.senders);
  }
  Features<A> messages(int t, const RowRange& block) {
    return features(A::dual ? arrays_.layers[t].mid : arrays_.mid, c_.plan->layers[t].convolution->out, block.count());
  }
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms) {
    return reserve_features<A>(buffer, layout, atoms);
  }
  const Layout& input_layout(int t) const { return t == 0 ? c_.plan->embedding : c_.plan->layers[t - 1].gate.out; }
  int last() const { return c_.shape->layers() - 1; }

  Constants c_;
  DeviceGraph& graph_;
  Halo& halo_;
  NequipArrays<A>& arrays_;
  EdgeStream<A> edges_;
  T* weight_gradient_;
  double* frequency_gradient_;
};

}  // namespace isotrope
