// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/device_graph.hpp"
#include "layers/edge_stream.hpp"
#include "layers/halo.hpp"
#include "models/nequip_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused. What only the weights' gradient
/// reads is kept per layer for duals; otherwise layers share it, and messages, the widest arrays, exist for a block of
/// receivers at a time.
template <class A>
struct NequipArrays {
  using T = typename A::Real;
  struct Layer {
    Buffer<T> up, gate_in;  ///< what senders show, and the gate's input
    Buffer<T> in, mid;      ///< features and messages (duals)
  };
  std::vector<Layer> layers;
  EdgeArrays<A> edges;
  Buffer<T> h[2], mid;           ///< features and messages of the layer at hand (plain numbers)
  Buffer<T> out;                 ///< features after the last layer (duals)
  Buffer<typename A::Num> seed;  ///< [rows]
  Buffer<T> table, table_up, g_table, g_table_up;
  Buffer<T> readout_hidden, readout, g_readout, g_readout_hidden;
  Buffer<T> g_out, g_in, g_up, g_gate, g_mid;
  Buffer<double> energy;  ///< [rows]
  int block = 128;        ///< receivers whose messages exist at a time (plain numbers)
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
  void embed_atoms();
  void interact(int t);
  void interact_backward(int t);
  void sender_features(int t);
  void sender_features_backward(int t);
  void element_features_backward();
  void self_forward(int t, const Features<A>& h, const Features<A>& y);
  void self_backward(int t, const Features<A>& h, const Features<A>& g_y, const Features<A>& g_h);
  void linear_2_forward(int t, const RowRange& block, const Features<A>& mid, const Features<A>& y);
  void linear_2_backward(int t, const RowRange& block, const Features<A>& mid, const Features<A>& g_y,
                         const Features<A>& g_mid);
  void read_out();
  void read_out_backward();

  Features<A> input_of(int t);  ///< of layer t; the output of the last layer for t = layers
  Features<A> messages(int t, const RowRange& block);
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms) {
    return reserve_features<A>(buffer, layout, atoms);
  }
  const Layout& last() const { return c_.plan->layers.back().gate.out; }
  bool sender_gradient_wanted(int t) const { return t > 0 || A::dual; }

  Constants c_;
  DeviceGraph& graph_;
  Halo& halo_;
  NequipArrays<A>& arrays_;
  EdgeStream<A> edges_;
  T* weight_gradient_;
  double* frequency_gradient_;
};

}  // namespace isotrope
