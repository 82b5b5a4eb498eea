// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <vector>

#include "layers/in_duals.hpp"
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

/// Arrays of passes over a batch; they grow and are reused. Rows are [token][row][pad]. A pass on InDuals and then one
/// on duals share them: the second finds the values of the first.
template <class T>
struct TransipArrays {
  struct Layer {
    Buffer<T> x, q, kv, mid;  ///< before the layer; heads; between attention and network
    Buffer<T> before;         ///< the argument of the activation of the network (layers/slope_activation.hpp)
  };
  /// What matrices are multiplied with: gradients of weights read it, nothing else does later.
  struct Inner {
    Buffer<T> y, o, mid_y, after;  ///< x normed; what attention gives; mid normed; what the activation gives
  };
  struct Adjoints {
    Buffer<T> y, q, kv, o, mid_y, after;
  };
  struct Head {
    Buffer<T> before, after, out, g_out, g_after;
  };
  std::vector<Layer> layers;
  std::vector<Inner> inner;        ///< of each layer where gradients of weights are formed, else one
  std::vector<Adjoints> adjoints;  ///< of each layer where two passes share them, else one
  Buffer<T> x, y, g_y;             ///< after the last layer, normed, its adjoint
  Head energy, force;
  Buffer<T> g;         ///< adjoint of what runs through the layers
  Buffer<T> g_before;  ///< of the argument of an activation
  Buffer<T> g_rows;    ///< adjoints of FirstRows
  Buffer<T> g_latent;  ///< [token][row][pad] seed of the adjoint of y, where asked for
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
    const TransipMatrices<T>* matrices;
    const FirstRows<T>* first;
  };
  /// What the adjoint starts from: seeds lie in energy.g_out and, where wanted, in force.g_out, g_latent and
  /// g_latent_between.
  struct Purpose {
    bool forces = false;               ///< direct forces are computed
    bool latent = false;               ///< g_latent and g_latent_between are read
    Values values = Values::computed;  ///< of duals: whether a pass on InDuals over the same batch went before
  };
  /// On InDuals without direct forces and gradients of weights, and of whole structures.
  TransipPass(const Constants& constants, const Purpose& purpose, TokenMixing<A>& mixing, TransipArrays<T>& arrays,
              T* weight_gradient);

  void forward();
  void backward();

 private:
  using Layer = typename TransipArrays<T>::Layer;
  using Inner = typename TransipArrays<T>::Inner;
  using Adjoints = typename TransipArrays<T>::Adjoints;
  using Head = typename TransipArrays<T>::Head;

  void embed();
  void embed_backward();
  void take_rows(int width, const T* table, T* y);
  void add_rows(int width, const T* g, T* table_gradient);
  void attend(int t);
  void attend_backward(int t);
  void first_rows_backward(const T* g_q, const T* g_kv);
  void transform(int t);
  void transform_backward(int t);
  void linear(const PackedLinear<T>& w, long n, const T* x, int ldx, const T* add, T* y, int ldy);
  void linear_back(const PackedLinear<T>& w, long n, const T* gy, int ldy, const T* add, T* gx, int ldx);
  void weight_gradient(const PackedLinear<T>& w, long n, const T* x, int ldx, const T* gy, int ldy);
  void read_out(const PackedLinear<T> (&network)[2], Head& head);
  /// g_y becomes the adjoint of y, which is added to what `add` has.
  void read_out_backward(const PackedLinear<T> (&network)[2], Head& head, const T* add, T* g_y);
  void norm(std::size_t gain, long n, const T* x, T* y);
  void norm_backward(std::size_t gain, long n, const T* x, const T* g_y, T* g);

  /// Consecutive tokens. What a network makes of a run stays in the second cache of a host.
  struct Run {
    long first, count;
  };
  template <class F>
  void for_runs(const F& f) const {
    const long most = device_build ? std::max(1L, tokens_) : 112, runs = (tokens_ + most - 1) / most;
    for (long k = 0; k < runs; ++k) {
      const long first = k * tokens_ / runs;
      f(Run{first, (k + 1) * tokens_ / runs - first});
    }
  }
  template <class U>
  static U* row(U* rows, long token, int width) {
    return rows + token * width * A::rows;
  }
  /// Where the rows of a run lie that outlive it (`kept`) or not.
  T* rows_of(Buffer<T>& buffer, int width, const Run& run, bool kept) {
    return kept ? row(reserve(buffer, width), run.first, width) : buffer.reserve(run.count * width * A::rows);
  }
  /// Whether gradients of weights are formed, here or by a pass on duals that finds what this one leaves.
  bool keeps_inner() const { return in_duals<A> || weight_gradient_; }
  Inner& inner(int t) { return arrays_.inner[keeps_inner() ? t : 0]; }
  bool shared() const { return in_duals<A> || purpose_.values == Values::there; }
  Adjoints& adjoints(int t) { return arrays_.adjoints[shared() ? t : 0]; }
  T* reserve(Buffer<T>& buffer, int width) { return buffer.reserve(tokens_ * width * A::rows); }
  T* gradient_at(std::size_t at) const { return weight_gradient_ ? weight_gradient_ + at : nullptr; }
  /// What comes out of layer t, the input of the next.
  Buffer<T>& output_of(int t) const { return t + 1 == c_.shape->layers ? arrays_.x : arrays_.layers[t + 1].x; }

  Constants c_;
  Purpose purpose_;
  TokenMixing<A>& mixing_;
  TransipArrays<T>& arrays_;
  T* weight_gradient_;
  long tokens_;
};

}  // namespace isotrope
