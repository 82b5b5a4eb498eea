// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/attention.hpp"
#include "layers/halo.hpp"
#include "layers/neighbour_attention.hpp"
#include "layers/neighbour_tokens.hpp"
#include "layers/token_graph.hpp"

namespace isotrope {

/// How the tokens of a batch see each other: the one part of TransIP that knows where they are.
template <class A>
class TokenMixing {
 public:
  using T = typename A::Real;
  virtual ~TokenMixing() = default;
  virtual long tokens() const = 0;
  virtual long keys() const = 0;
  virtual const int* row() const = 0;  ///< [tokens] of the table of embeddings

  virtual void begin_forward() = 0;
  /// o from queries, keys and values [.][row][heads D]; q and kv may be changed, as backward then finds them.
  virtual void forward(int layer, T* q, Buffer<T>& kv, T* o) = 0;
  virtual void begin_backward() = 0;
  /// g_q and g_kv are written.
  virtual void backward(int layer, const T* q, const T* kv, const T* g_o, T* g_q, Buffer<T>& g_kv) = 0;
  virtual void end_backward() = 0;
};

/// What both kinds know of the model.
struct MixingShape {
  HeadShape heads;  ///< as stored
  int frequencies;
  const double* omega;  ///< [frequencies], on the device
  bool positions;       ///< backward is to give dE/dx or dE/dr
};

template <class T>
struct FullMixingArrays {
  Buffer<T> cosine, sine;
  Buffer<T> turns;                             ///< [token][D/2] tangents of phases
  std::vector<AttentionScratch<T>> attention;  ///< [layers]
  Buffer<T> g_phase;                           ///< [token][D/2] adjoints of phases
  Buffer<double> g_x;                          ///< [token][3] dE/dx
};

/// Every token sees every token of its structure. `values`: whether a pass on duals finds those of a pass on InDuals,
/// here and in queries, keys, values and their adjoints.
template <class A>
class FullMixing final : public TokenMixing<A> {
 public:
  using T = typename A::Real;
  FullMixing(const MixingShape& shape, const TokenGraph& graph, Halo& halo, Values values, FullMixingArrays<T>& arrays)
      : shape_(shape), graph_(graph), halo_(halo), values_(values), arrays_(arrays) {}
  long tokens() const override { return graph_.tokens; }
  long keys() const override { return graph_.keys; }
  const int* row() const override { return graph_.row.data(); }
  void begin_forward() override;
  void forward(int layer, T* q, Buffer<T>& kv, T* o) override;
  void begin_backward() override;
  void backward(int layer, const T* q, const T* kv, const T* g_o, T* g_q, Buffer<T>& g_kv) override;
  void end_backward() override;

 private:
  MixingShape shape_;
  const TokenGraph& graph_;
  Halo& halo_;
  Values values_;
  FullMixingArrays<T>& arrays_;
};

template <class A>
struct NeighbourMixingArrays {
  using N = typename A::Num;
  struct Layer {
    Buffer<N> tanh, weight, inverse;
  };
  std::vector<Layer> layers;
  Buffer<typename A::Real> cosine, sine;
  Buffer<N> envelope;
  Buffer<double> g_envelope, g_phase, g_r;  ///< [edges], [edge][D / 2], [edge][3] dE/dr
};

/// A token sees its neighbours.
template <class A>
class NeighbourMixing final : public TokenMixing<A> {
 public:
  using T = typename A::Real;
  NeighbourMixing(const MixingShape& shape, double cutoff, double bound, const NeighbourTokens& graph, Halo& halo,
                  NeighbourMixingArrays<A>& arrays)
      : shape_(shape),
        envelope_(Envelope::polynomial(cutoff_power, cutoff)),
        bound_(bound),
        graph_(graph),
        halo_(halo),
        arrays_(arrays) {}
  long tokens() const override { return graph_.tokens; }
  long keys() const override { return graph_.keys; }
  const int* row() const override { return graph_.row.data(); }
  void begin_forward() override;
  void forward(int layer, T* q, Buffer<T>& kv, T* o) override;
  void begin_backward() override;
  void backward(int layer, const T* q, const T* kv, const T* g_o, T* g_q, Buffer<T>& g_kv) override;
  void end_backward() override;

 private:
  static constexpr int cutoff_power = 6;
  NeighbourEdges<A> edges_of(int layer);

  MixingShape shape_;
  Envelope envelope_;
  double bound_;
  const NeighbourTokens& graph_;
  Halo& halo_;
  NeighbourMixingArrays<A>& arrays_;
};

}  // namespace isotrope
