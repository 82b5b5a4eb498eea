// SPDX-License-Identifier: MIT
#include "models/nequip_weights.hpp"

#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

double inverse_root(int n) {
  return 1 / std::sqrt(static_cast<double>(n));
}

template <class T>
Layout layout_of(const std::vector<Irrep>& blocks) {
  Layout layout;
  for (const Irrep& b : blocks) layout.add(b.l, b.mul, padded<T>(b.mul));
  return layout;
}

/// Consecutive channels of a parameter and where they are stored.
struct Segment {
  int from, count, at;
};

/// Reserves matrices and says where their numbers come from, with e3nn's normalisation (docs/model-format.md).
template <class T>
class Planner {
 public:
  Planner(const NequipShape& shape, const Parameters& parameters, WeightPlan& plan)
      : s_(shape), p_(parameters), plan_(plan) {}

  Matrix reserve(int in, int out) { return {plan_.allocate(static_cast<std::size_t>(in) * out), in, out}; }

  /// A [rows, columns] parameter as a matrix with padded sides.
  Matrix plain(const std::string& name, int rows, int columns, int padded_rows, double scale) {
    const Matrix m = reserve(padded_rows, padded<T>(columns));
    plan_.copy(p_.entry(name).offset, columns, rows, columns, scale, m.at, m.out);
    return m;
  }

  NequipLayer layer(int t, const std::vector<double>& signs) {
    NequipLayer layer;
    layer.in = layout_of<T>(s_.in(t));
    layer.gate = gate(t);
    layer.convolution = convolution(t, layer.in);
    const std::string name = fmt::format("layer.{}", t);
    for (const Irrep& b : s_.in(t)) {
      layer.linear_1.push_back(plain(fmt::format("{}.linear_1.{}.weight", name, irrep_name(b)), b.mul, b.mul,
                                     padded<T>(b.mul), inverse_root(b.mul)));
    }
    layer.radial = radial(t, *layer.convolution, signs);
    if (s_.train_denominators) plan_.divide_by(p_.entry(name + ".denominator").offset);
    for (int b = 0; b < layer.gate.in.count; ++b) layer.linear_2.push_back(linear_2(t, b, *layer.convolution));
    plan_.divide_by(WeightPlan::none);
    if (s_.self_connection[t] != SelfConnection::none) add_self(t, layer);
    if (s_.bias) {
      layer.bias_1 = bias(name + ".linear_1.bias", {{0, s_.in(t)[0].mul, 0}}, layer.in.block[0].pad);
      layer.bias_2 = bias(name + ".linear_2.bias", gate_segments(t, 0), layer.gate.in.block[0].pad);
    }
    return layer;
  }

 private:
  /// Columns of the channels (and, for block 0, the gates) of a block before the gate.
  std::vector<Segment> gate_segments(int t, int block) const {
    const auto& out = s_.out(t);
    std::vector<Segment> segments{{0, out[block].mul, 0}};
    if (block > 0) return segments;
    int from = out[0].mul, at = padded<T>(out[0].mul);
    for (const Irrep& b : out) {
      if (b.l == 0) continue;
      segments.push_back({from, b.mul, at});
      from += b.mul;
      at += padded<T>(b.mul);
    }
    return segments;
  }

  IrrepsGate gate(int t) const {
    IrrepsGate gate;
    gate.silu_norm = s_.silu_norm;
    gate.tanh_norm = s_.tanh_norm;
    gate.out = layout_of<T>(s_.out(t));
    const std::vector<Segment> segments = gate_segments(t, 0);
    std::size_t next = 1;
    for (int b = 0; b < gate.out.count; ++b) {
      const Layout::Block& block = gate.out.block[b];
      const bool odd_scalar = block.l == 0 && s_.out(t)[b].parity < 0;
      gate.blocks.push_back(
          {b, block.l > 0 ? segments[next++].at : 0, odd_scalar ? Activation::tanh : Activation::silu});
      const int pad = b == 0 ? segments.back().at + padded<T>(segments.back().count) : block.pad;
      gate.in.add(block.l, b == 0 ? pad : block.mul, pad);
    }
    return gate;
  }

  std::unique_ptr<Convolution> convolution(int t, const Layout& in) const {
    std::vector<ConvolutionPath> paths;
    for (const NequipShape::Path& p : s_.paths(t)) {
      paths.push_back({p.in, s_.in(t)[p.in].l, p.l2, s_.out(t)[p.out].l, p.out});
    }
    return std::make_unique<Convolution>(in, paths, static_cast<int>(s_.out(t).size()));
  }

  RadialMlp radial(int t, const Convolution& convolution, const std::vector<double>& signs) {
    RadialMlp mlp;
    mlp.activation_norm = s_.silu_norm;
    int in = s_.num_bessel, in_pad = s_.num_bessel, k = 0;
    for (const int out : s_.radial_mlp) {
      mlp.layers.push_back(plain(fmt::format("layer.{}.radial.{}.weight", t, k++), in, out, in_pad, inverse_root(in)));
      in = out;
      in_pad = padded<T>(out);
    }
    const Matrix last = reserve(in_pad, convolution.weights);
    const Parameters::Entry& entry = p_.entry(fmt::format("layer.{}.radial.{}.weight", t, k));
    std::size_t from = entry.offset;
    for (std::size_t n = 0; n < convolution.paths.size(); ++n) {
      const ConvolutionPath& path = convolution.paths[n];
      plan_.copy(from, entry.shape[1], in, path.channels, signs[n] * inverse_root(in), last.at + path.weight, last.out);
      from += path.channels;
    }
    mlp.layers.push_back(last);
    return mlp;
  }

  Matrix linear_2(int t, int block, const Convolution& convolution) {
    const std::vector<Segment> segments = gate_segments(t, block);
    const Matrix m = reserve(convolution.out.block[block].pad, segments.back().at + padded<T>(segments.back().count));
    const int width = s_.gate_width(t, block);
    const double divisor = s_.train_denominators ? 1 : s_.denominators[t];
    const double scale = inverse_root(s_.channels_to(t, block)) / divisor;
    std::size_t from = p_.entry(fmt::format("layer.{}.linear_2.{}.weight", t, irrep_name(s_.out(t)[block]))).offset;
    for (const ConvolutionPath& path : convolution.paths) {
      if (path.out_block != block) continue;
      for (const Segment& s : segments) {
        plan_.copy(from + s.from, width, path.channels, s.count, scale,
                   m.at + static_cast<std::size_t>(path.out_channel) * m.out + s.at, m.out);
      }
      from += static_cast<std::size_t>(path.channels) * width;
    }
    return m;
  }

  void add_self(int t, NequipLayer& layer) {
    const int kinds = s_.self_connection[t] == SelfConnection::species ? s_.species : 1;
    for (int i = 0; i < layer.in.count; ++i) {
      const Irrep& in = s_.in(t)[i];
      const int out = find_irrep(s_.out(t), in);
      if (out < 0) continue;
      const std::size_t offset = p_.entry(fmt::format("layer.{}.self.{}.weight", t, irrep_name(in))).offset;
      const std::size_t width = s_.gate_width(t, out);
      NequipLayer::Self self{i, out, {}};
      for (int k = 0; k < kinds; ++k) {
        const Matrix m = reserve(layer.in.block[i].pad, layer.gate.in.block[out].pad);
        for (const Segment& s : gate_segments(t, out)) {
          plan_.copy(offset + k * width + s.from, kinds * width, in.mul, s.count, inverse_root(in.mul * kinds),
                     m.at + s.at, m.out);
        }
        self.matrix.push_back(m);
      }
      layer.self.push_back(std::move(self));
    }
  }

  std::size_t bias(const std::string& name, const std::vector<Segment>& segments, int pad) {
    const std::size_t at = plan_.allocate(pad), offset = p_.entry(name).offset;
    for (const Segment& s : segments) plan_.copy(offset + s.from, 0, 1, s.count, 1, at + s.at, 0);
    return at;
  }

  const NequipShape& s_;
  const Parameters& p_;
  WeightPlan& plan_;
};

}  // namespace

template <class T>
NequipWeights plan_weights(const NequipShape& shape, const Parameters& parameters,
                           const std::vector<std::vector<double>>& signs) {
  NequipWeights weights;
  Planner<T> planner(shape, parameters, weights.plan);
  weights.embedding = layout_of<T>(shape.in(0));
  const int channels = shape.in(0)[0].mul, last = shape.irreps.back().blocks()[0].mul, hidden = shape.readout_hidden;
  weights.embedding_at =
      planner.plain("embedding.weight", shape.species, channels, shape.species, inverse_root(shape.species)).at;
  for (int t = 0; t < shape.layers(); ++t) weights.layers.push_back(planner.layer(t, signs[t]));
  weights.readout = {planner.plain("readout.linear_1.weight", last, hidden, padded<T>(last), inverse_root(last)),
                     planner.plain("readout.linear_2.weight", hidden, 1, padded<T>(hidden), inverse_root(hidden))};
  weights.frequencies = parameters.entry("bessel.frequencies").offset;
  return weights;
}

template NequipWeights plan_weights<float>(const NequipShape&, const Parameters&,
                                           const std::vector<std::vector<double>>&);
template NequipWeights plan_weights<double>(const NequipShape&, const Parameters&,
                                            const std::vector<std::vector<double>>&);

}  // namespace isotrope
