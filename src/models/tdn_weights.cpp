// SPDX-License-Identifier: MIT
#include "models/tdn_weights.hpp"

#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

/// Reserves matrices and says where their numbers come from.
template <class T>
class Planner {
 public:
  Planner(const TdnShape& shape, const Parameters& parameters, WeightPlan& plan)
      : s_(shape), p_(parameters), plan_(plan), C_(shape.channels), pad_(padded<T>(shape.channels)) {}

  std::size_t offset(const std::string& name) const { return p_.entry(name).offset; }

  /// A vector parameter, padded with zeros.
  std::size_t vector(const std::string& name, int size, double scale = 1) {
    const std::size_t at = plan_.allocate(padded<T>(size));
    plan_.copy(offset(name), size, 1, size, scale, at, size);
    return at;
  }
  /// One number in every channel.
  std::size_t repeated(const std::string& name, int size) {
    const std::size_t at = plan_.allocate(padded<T>(size));
    plan_.copy(offset(name), 0, size, 1, 1, at, 1);
    return at;
  }
  Matrix matrix(const std::string& name, int rows, int columns, double scale = 1) {
    const Matrix m = reserve(padded<T>(rows), padded<T>(columns));
    plan_.copy(offset(name), columns, rows, columns, scale, m.at, m.out);
    return m;
  }
  BiasedMatrix linear(const std::string& name, int in, int out, double scale = 1) {
    return {matrix(name + ".weight", in, out, scale), vector(name + ".bias", out, scale)};
  }

  /// Column ranges [C, part * C) of parameters side by side in one padded matrix.
  struct Part {
    std::string name;
    int columns, first;  ///< of the parameter's matrix
  };
  WideMatrix wide(const std::vector<Part>& parts, std::size_t value) {
    const int out = static_cast<int>(parts.size()) * pad_;
    WideMatrix w{reserve(pad_, out), plan_.allocate(out), reserve(pad_, pad_)};
    for (std::size_t n = 0; n < parts.size(); ++n) {
      const auto& [name, columns, first] = parts[n];
      plan_.copy(offset(name + ".weight") + first, columns, C_, C_, 1, w.scalars.at + n * pad_, out);
      plan_.copy(offset(name + ".bias") + first, columns, 1, C_, 1, w.bias + n * pad_, out);
    }
    const auto& [name, columns, first] = parts[value];
    plan_.copy(offset(name + ".weight") + first, columns, C_, C_, 1, w.vectors.at, pad_);
    return w;
  }

  NormedMlp radial(const std::string& name) {
    NormedMlp mlp;
    int in = s_.num_gaussians, k = 0;
    for (const int width : s_.radial_mlp) {
      const std::string layer = fmt::format("{}.{}", name, k++);
      const BiasedMatrix m = linear(layer, in, width);
      mlp.hidden.push_back(
          {m.matrix, width, m.bias, vector(layer + ".norm.gain", width), vector(layer + ".norm.bias", width)});
      in = width;
    }
    mlp.last = matrix(fmt::format("{}.{}.weight", name, k), in, C_);
    mlp.offset = vector(name + ".offset", C_);
    return mlp;
  }

  ComponentNorm norm(const std::string& name) {
    ComponentNorm n{plan_.allocate((s_.l_max + 1) * pad_), 0};
    plan_.copy(offset(name + ".gain"), C_, s_.l_max + 1, C_, 1, n.gain, pad_);
    n.bias = vector(name + ".bias", C_);
    return n;
  }

  TdnAttention attention(const std::string& name) {
    TdnAttention a;
    a.source = linear(name + ".source", C_, C_);
    a.target = matrix(name + ".target.weight", C_, C_);
    a.radial = radial(name + ".radial");
    a.wide = wide({{name + ".score", C_, 0}, {name + ".value", 2 * C_, 0}, {name + ".value", 2 * C_, C_}}, 1);
    a.score = vector(name + ".score.vector", C_);
    if (s_.smooth()) a.self_logit = vector(name + ".self_logit", s_.heads);
    a.project = linear(name + ".project", C_, C_);
    return a;
  }

  TdnBlock block(int t) {
    const std::string name = fmt::format("block.{}", t), feed = name + ".feed_1";
    TdnBlock b;
    b.norm_1 = norm(name + ".norm_1");
    b.attention = attention(name + ".attention");
    b.norm_2 = norm(name + ".norm_2");
    b.feed_1 = wide({{feed, 2 * C_, 0}, {feed, 2 * C_, C_}}, 0);
    b.feed_2 = linear(name + ".feed_2", C_, C_);
    return b;
  }

  /// Element rows and the bias that they share: two parameters, one after the other, mixed into one table.
  std::size_t embedding() {
    const int S = s_.species;
    std::vector<double> mix(S * (S + 1), 0.0);
    for (int s = 0; s < S; ++s) mix[s * (S + 1) + s] = mix[s * (S + 1) + S] = 1;
    const std::size_t at = plan_.allocate(static_cast<std::size_t>(S) * pad_);
    plan_.mix(offset("embedding.weight"), S + 1, C_, mix, S, at, pad_);
    return at;
  }
  /// A linear layer with bias applied to ones.
  std::size_t expanded_ones() {
    const std::size_t at = plan_.allocate(pad_);
    plan_.mix(offset("degree.expand.weight"), C_ + 1, C_, std::vector<double>(C_ + 1, 1.0), 1, at, pad_);
    return at;
  }

 private:
  Matrix reserve(int in, int out) { return {plan_.allocate(static_cast<std::size_t>(in) * out), in, out}; }

  const TdnShape& s_;
  const Parameters& p_;
  WeightPlan& plan_;
  int C_, pad_;
};

}  // namespace

template <class T>
TdnWeights plan_weights(const TdnShape& s, const Parameters& parameters) {
  TdnWeights w;
  Planner<T> plan(s, parameters, w.plan);
  const int pad = padded<T>(s.channels);
  w.scalars.add(0, s.channels, pad);
  w.vectors.add(1, s.channels, pad);
  for (int l = 1; l <= s.l_max; ++l) w.higher.add(l, s.channels, pad);
  for (int l = 0; l <= s.l_max; ++l) w.features.add(l, s.channels, pad);
  w.embedding = plan.embedding();
  w.gaussians = {s.num_gaussians, padded<T>(s.num_gaussians), s.cutoff};
  w.gaussians.mean = plan.vector("gaussians.mean", s.num_gaussians);
  w.gaussians.std = plan.vector("gaussians.std", s.num_gaussians);
  w.gaussians.scale = plan.repeated("gaussians.scale", s.num_gaussians);
  w.gaussians.shift = plan.repeated("gaussians.shift", s.num_gaussians);
  w.degree = plan.expanded_ones();
  w.degree_radial = plan.radial("degree.radial");
  w.degree_project = plan.linear("degree.project", s.channels, s.channels, 1 / std::sqrt(s.average_neighbours));
  for (int t = 0; t < s.layers; ++t) w.blocks.push_back(plan.block(t));
  w.norm = plan.norm("norm");
  w.energy_1 = plan.linear("energy_1", s.channels, s.channels);
  w.energy_2 = plan.linear("energy_2", s.channels, 1);
  if (s.direct_forces) {
    w.force = plan.attention("force.attention");
    w.force_project = plan.matrix("force.weight", s.channels, 1);
  }
  return w;
}

template TdnWeights plan_weights<float>(const TdnShape&, const Parameters&);
template TdnWeights plan_weights<double>(const TdnShape&, const Parameters&);

}  // namespace isotrope
