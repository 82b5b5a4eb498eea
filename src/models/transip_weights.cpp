// SPDX-License-Identifier: MIT
#include "models/transip_weights.hpp"

#include <fmt/format.h>

#include <cmath>

#include "layers/pair_lanes.hpp"

namespace isotrope {
namespace {

/// Reserves places and says where their numbers come from. Matrices are divided by the root of their number of rows, so
/// that parameters are of order one.
template <class T>
class Planner {
 public:
  Planner(const TransipShape& shape, const Parameters& parameters, TransipWeights& weights)
      : s_(shape), p_(parameters), w_(weights) {}

  Matrix reserve(int in, int out) { return {w_.plan.allocate(static_cast<std::size_t>(in) * out), in, out}; }
  Matrix matrix(const std::string& name, int in, int out, double factor = 1) {
    const Matrix m = reserve(in, out);
    const Parameters::Entry& entry = p_.entry(name);
    const int rows = entry.shape[0], columns = entry.shape[1];
    w_.plan.copy(entry.offset, columns, rows, columns, factor * per_root(rows), m.at, m.out);
    return m;
  }
  /// [width][width] whose columns are heads, to columns `at_column` and on.
  void into_heads(const std::string& name, double factor, const Matrix& m, int at_column = 0) {
    for_halves([&](int live, int stored, int half) {
      const Parameters::Entry& entry = p_.entry(name);
      w_.plan.copy(entry.offset + live, s_.width, s_.width, half, factor * per_root(s_.width),
                   m.at + at_column + stored, m.out);
    });
  }
  /// [width][width] whose rows are heads.
  Matrix from_heads(const std::string& name, double factor) {
    const Matrix m = reserve(w_.heads.width(), w_.pad);
    for_halves([&](int live, int stored, int half) {
      const Parameters::Entry& entry = p_.entry(name);
      w_.plan.copy(entry.offset + static_cast<std::size_t>(live) * s_.width, s_.width, half, s_.width,
                   factor * per_root(s_.width), m.at + static_cast<std::size_t>(stored) * m.out, m.out);
    });
    return m;
  }
  std::size_t vector(const std::string& name) {
    const Matrix m = reserve(1, w_.pad);
    w_.plan.copy(p_.entry(name).offset, s_.width, 1, s_.width, 1, m.at, w_.pad);
    return m.at;
  }

  void embedding() {
    const Matrix m = reserve(s_.embeddings(), w_.pad);
    // The three tables follow each other in the parameters.
    w_.plan.copy(p_.entry("embedding.element").offset, s_.width, s_.embeddings(), s_.width, 1, m.at, w_.pad);
    w_.embedding = m.at;
  }

  TransipLayer layer(int t) {
    const std::string name = fmt::format("layer.{}.", t);
    const int width = w_.heads.width();
    // What a layer adds is small beside what it adds to, so that deep stacks start well.
    const double residual = 1 / std::sqrt(2.0 * s_.layers);
    TransipLayer layer;
    layer.attention_norm = vector(name + "attention.norm");
    // The 1/sqrt(D) of the logits lies in the query.
    layer.query = reserve(w_.pad, width);
    into_heads(name + "attention.query", per_root(s_.heads.size), layer.query);
    layer.key_value = reserve(w_.pad, 2 * width);
    into_heads(name + "attention.key", 1, layer.key_value);
    into_heads(name + "attention.value", 1, layer.key_value, width);
    layer.output = from_heads(name + "attention.output", residual);
    layer.network_norm = vector(name + "network.norm");
    layer.network[0] = matrix(name + "network.0", w_.pad, w_.hidden_pad);
    layer.network[1] = matrix(name + "network.1", w_.hidden_pad, w_.pad, residual);
    return layer;
  }

 private:
  static double per_root(int rows) { return 1 / std::sqrt(static_cast<double>(rows)); }
  /// Calls f(first channel, place where it is stored, channels) for both halves of every head.
  template <class F>
  void for_halves(const F& f) const {
    const int live = s_.heads.size / 2, stored = w_.heads.size / 2;
    for (int k = 0; k < 2 * s_.heads.heads; ++k) f(k * live, k * stored, live);
  }

  const TransipShape& s_;
  const Parameters& p_;
  TransipWeights& w_;
};

}  // namespace

template <class T>
TransipWeights plan_weights(const TransipShape& shape, const Parameters& parameters) {
  TransipWeights w;
  w.pad = padded<T>(shape.width);
  w.hidden_pad = padded<T>(shape.hidden);
  w.heads = {shape.heads.heads, 2 * padded_pairs<T>(shape.heads.size / 2)};
  Planner<T> planner(shape, parameters, w);
  planner.embedding();
  for (int t = 0; t < shape.layers; ++t) w.layers.push_back(planner.layer(t));
  w.norm = planner.vector("norm");
  w.energy[0] = planner.matrix("energy.0", w.pad, w.pad);
  w.energy[1] = planner.matrix("energy.1", w.pad, 1);
  if (shape.forces == Forces::direct) {
    w.force[0] = planner.matrix("force.0", w.pad, w.pad);
    w.force[1] = planner.matrix("force.1", w.pad, 3);
  }
  return w;
}

template <class T>
void TransipMatrices<T>::pack(const TransipWeights& plan, const T* weights) {
  layers.resize(plan.layers.size());
  for (std::size_t t = 0; t < layers.size(); ++t) {
    const TransipLayer& from = plan.layers[t];
    Layer& to = layers[t];
    to.query.pack(weights, from.query);
    to.key_value.pack(weights, from.key_value);
    to.output.pack(weights, from.output);
    for (int k = 0; k < 2; ++k) to.network[k].pack(weights, from.network[k]);
  }
  for (int k = 0; k < 2; ++k) {
    energy[k].pack(weights, plan.energy[k]);
    if (plan.force[k].out > 0) force[k].pack(weights, plan.force[k]);
  }
}
template struct TransipMatrices<float>;
template struct TransipMatrices<double>;

template TransipWeights plan_weights<float>(const TransipShape&, const Parameters&);
template TransipWeights plan_weights<double>(const TransipShape&, const Parameters&);

}  // namespace isotrope
