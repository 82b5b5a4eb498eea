// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/density_norm.hpp"
#include "layers/device_graph.hpp"
#include "layers/edge_stream.hpp"
#include "layers/halo.hpp"
#include "layers/zbl.hpp"
#include "models/mace_weights.hpp"

namespace isotrope {

/// Arrays of one pass over a graph, plain or with tangents; they grow and are reused.
template <class A>
struct MaceArrays {
  using T = typename A::Real;
  struct Layer {
    Buffer<T> in, up, mid, message, a, b;  ///< features on their way through the layer
    Buffer<T> readout_before, readout_after, readout;
    Buffer<typename A::Num> density;  ///< [rows] where messages are divided by it
  };
  std::vector<Layer> layers;
  EdgeArrays<A> edges;
  Buffer<T> out;                            ///< features after the last layer
  Buffer<typename A::Num> seed, g_density;  ///< [rows]
  Buffer<T> table, table_up, g_table, g_table_up;
  Buffer<T> g_out, g_in, g_up, g_mid, g_message, g_a, g_b, g_readout, g_readout_hidden;
  Buffer<double> energy;  ///< [rows]
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
    EdgeModel<T> edges;   ///< MACE's edge vectors point from the sender to the receiver
    const double* scale;  ///< [species], on the device
    const T* weights;     ///< prepared
    const Zbl* zbl = nullptr;
  };
  MacePass(const Constants& constants, DeviceGraph& graph, Halo& halo, MaceArrays<A>& arrays, T* weight_gradient);

  void forward();
  void backward();

 private:
  void embed_atoms();
  void interact(int t);
  void interact_backward(int t);
  void collect_message(int t, const Features<A>& mid, const Features<A>& message);
  void collect_message_backward(int t, const Features<A>& message, const Features<A>& g_message,
                                const Features<A>& g_mid);
  DensityInput<A> density_input(int t) const;
  void sender_features(int t);
  void sender_features_backward(int t);
  void skip_forward(int t, const Features<A>& x, T beta, const Features<A>& y);
  void skip_backward(int t, const Features<A>& x, const Features<A>& g_y, T beta, const Features<A>& g_x);
  void read_out(int t);
  void read_out_backward(int t);

  Features<A> input_of(int t);  ///< of layer t; the output of the last layer for t = layers
  Features<A> features(Buffer<T>& buffer, const Layout& layout, long atoms);
  bool sender_gradient_wanted(int t) const { return t > 0 || A::dual; }

  Constants c_;
  DeviceGraph& graph_;
  Halo& halo_;
  MaceArrays<A>& arrays_;
  EdgeStream<A> edges_;
  T* weight_gradient_;
};

}  // namespace isotrope
