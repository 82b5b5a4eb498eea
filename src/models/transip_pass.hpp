// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "models/transip_mixing.hpp"
#include "models/transip_weights.hpp"

namespace isotrope {

/// What the first layer makes of a token before tokens see each other: it depends on the token's row in the table of
/// embeddings alone, so that it is made of the rows, [row][pad], [row][heads D], [row][2 heads D].
template <class T>
struct FirstRows {
  Buffer<T> y, q, kv;  ///< normed; heads
  void prepare(const TransipShape& shape, const TransipWeights& plan, const T* weights);
};

/// Arrays of one pass over a batch, plain or with tangents; they grow and are reused. Rows are [token][row][pad].
template <class A>
struct TransipArrays {
  using T = typename A::Real;
  struct Layer {
    Buffer<T> x, y, q, kv, o;  ///< before the layer, normed; heads; what attention gives
    Buffer<T> mid, mid_y;      ///< between attention and network, normed
    Buffer<T> before, after;   ///< the activation of the network; `before` becomes its slope
    /// Of duals: values of adjoints, [token][width], where a plain pass left them: of o, of both y, of `after`.
    Buffer<T> g_o, g_y, g_mid_y, g_after;
  };
  struct Head {
    Buffer<T> before, after, out, g_out;
  };
  std::vector<Layer> layers;
  Buffer<T> x, y;  ///< after the last layer, normed
  Head energy, force;
  Buffer<T> g, g_y, g_q, g_kv, g_hidden;
  Buffer<T> g_rows;           ///< adjoints of FirstRows
  bool values_there = false;  ///< of duals: whether a plain pass left the values of what linear layers make
  Buffer<T> g_latent;         ///< [token][row][pad] seed of the adjoint of y, where asked for
  /// [layers - 1] the same of what comes out of the layers but the last; empty: the latent loss does not see them.
  std::vector<Buffer<T>> g_latent_between;
};

/// One pass of TransIP over a batch: forward and its adjoint, written once for plain numbers (energies and dE/dx, or
/// the adjoint of a loss) and for duals (whose adjoint gives dL/d(parameters), docs/theory.md).
template <class A>
class TransipPass {
 public:
  using T = typename A::Real;
  struct Constants {
    const TransipShape* shape;
    const TransipWeights* plan;
    const T* weights;  ///< prepared
    const FirstRows<T>* first;
  };
  /// What the adjoint starts from: seeds lie in energy.g_out and, where wanted, in force.g_out, g_latent and
  /// g_latent_between.
  struct Purpose {
    bool forces = false;  ///< direct forces are computed
    bool latent = false;  ///< g_latent and g_latent_between are read
  };
  TransipPass(const Constants& constants, const Purpose& purpose, TokenMixing<A>& mixing, TransipArrays<A>& arrays,
              T* weight_gradient);

  /// Has a plain pass that goes backward, without direct forces and gradients of weights, leave what linear layers make
  /// in the arrays of a dual pass over the same batch with the same weights, which then has the tangents alone to form.
  void leave_values_to(TransipArrays<WithTangent<T>>& duals);

  void forward();
  void backward();

 private:
  using Duals = TransipArrays<WithTangent<T>>;
  using DualLayer = typename Duals::Layer;
  using Layer = typename TransipArrays<A>::Layer;
  using Head = typename TransipArrays<A>::Head;

  void embed();
  void embed_backward();
  void take_rows(int width, const T* table, T* y);
  void add_rows(int width, const T* g, T* table_gradient);
  void attend(int t);
  void attend_backward(int t);
  void first_rows_backward(const T* g_q, const T* g_kv);
  void transform(int t);
  void transform_backward(int t);
  void linear(const Matrix& w, const T* x, int ldx, T beta, T* y, int ldy, Buffer<T>* to);
  void linear_back(const Matrix& w, const T* gy, int ldy, T beta, T* gx, int ldx);
  /// gx = gy W^T where a plain pass leaves it to one on duals; else in `scratch`, for duals with the values that are
  /// left.
  T* linear_back(const Matrix& w, const T* gy, int ldy, int t, Buffer<T> DualLayer::*adjoint, Buffer<T>& scratch,
                 int ldx);
  Buffer<T>* left(int t, Buffer<T> DualLayer::*what) const { return duals_ ? &(duals_->layers[t].*what) : nullptr; }
  void read_out(const Matrix (&network)[2], Head& head);
  void read_out_backward(const Matrix (&network)[2], Head& head);

  T* reserve(Buffer<T>& buffer, int width) { return buffer.reserve(tokens_ * width * A::rows); }
  T* gradient_at(std::size_t at) const { return weight_gradient_ ? weight_gradient_ + at : nullptr; }
  /// What comes out of layer t, the input of the next.
  template <class Arrays>
  Buffer<T>& output_of(Arrays& arrays, int t) const {
    return t + 1 == c_.shape->layers ? arrays.x : arrays.layers[t + 1].x;
  }
  void copy(const T* from, T* to);
  void norm(std::size_t gain, const Buffer<T>& x, Buffer<T>& y);
  void norm_backward(std::size_t gain, const Buffer<T>& x, const T* g_y);

  Constants c_;
  Purpose purpose_;
  TokenMixing<A>& mixing_;
  TransipArrays<A>& arrays_;
  T* weight_gradient_;
  Duals* duals_ = nullptr;  ///< where values are left
  long tokens_;
};

}  // namespace isotrope
