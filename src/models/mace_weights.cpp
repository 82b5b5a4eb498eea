// SPDX-License-Identifier: MIT
#include "models/mace_weights.hpp"

#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

/// Reserves matrices and says where their numbers come from, with e3nn's normalisation (docs/model-format.md).
template <class T>
class Planner {
 public:
  Planner(const MaceShape& shape, const Parameters& parameters, WeightPlan& plan)
      : s_(shape), p_(parameters), plan_(plan), C_(shape.channels), pad_(padded<T>(shape.channels)) {}

  Matrix reserve(int in, int out) { return {plan_.allocate(static_cast<std::size_t>(in) * out), in, out}; }

  /// A [rows, columns] parameter as a matrix with padded sides.
  Matrix plain(const std::string& name, int rows, int columns, int padded_rows, int padded_columns, double scale) {
    const Matrix m = reserve(padded_rows, padded_columns);
    plan_.copy(p_.entry(name).offset, columns, rows, columns, scale, m.at, m.out);
    return m;
  }
  Matrix channels(const std::string& name, double scale) { return plain(name, C_, C_, pad_, pad_, scale); }

  RadialMlp radial(int t, int paths) {
    RadialMlp mlp;
    mlp.activation_norm = s_.activation_norm;
    int in = s_.num_bessel, in_pad = s_.num_bessel;
    for (std::size_t k = 0; k < s_.radial_mlp.size(); ++k) {
      const int out = s_.radial_mlp[k];
      mlp.layers.push_back(plain(fmt::format("interaction.{}.radial.{}.weight", t, k), in, out, in_pad, padded<T>(out),
                                 1 / std::sqrt(static_cast<double>(in))));
      in = out;
      in_pad = padded<T>(out);
    }
    const Matrix last = reserve(in_pad, paths * pad_);
    const std::size_t offset = p_.entry(fmt::format("interaction.{}.radial.{}.weight", t, s_.radial_mlp.size())).offset;
    for (int path = 0; path < paths; ++path) {
      plan_.copy(offset + path * C_, paths * C_, in, C_, 1 / std::sqrt(static_cast<double>(in)), last.at + path * pad_,
                 last.out);
    }
    mlp.layers.push_back(last);
    return mlp;
  }

  Matrix linear(int t, int l3, int paths) {
    const Matrix m = reserve(paths * pad_, pad_);
    const std::size_t offset = p_.entry(fmt::format("interaction.{}.linear.{}.weight", t, l3)).offset;
    const double neighbours = s_.density_normalised ? 1 : s_.average_neighbours;
    const double scale = 1 / (std::sqrt(static_cast<double>(paths * C_)) * neighbours);
    for (int path = 0; path < paths; ++path) {
      plan_.copy(offset + static_cast<std::size_t>(path) * C_ * C_, C_, C_, C_, scale,
                 m.at + static_cast<std::size_t>(path) * pad_ * pad_, pad_);
    }
    return m;
  }

  std::size_t density(int t) {
    const int count = s_.num_bessel;
    return plain(fmt::format("interaction.{}.density.weight", t), 1, count, 1, count, 1 / std::sqrt(double(count))).at;
  }

  std::vector<Matrix> skip(int t, int l) {
    std::vector<Matrix> of_species;
    const std::size_t offset = p_.entry(fmt::format("interaction.{}.skip.{}.weight", t, l)).offset;
    for (int s = 0; s < s_.species; ++s) {
      const Matrix m = reserve(pad_, pad_);
      plan_.copy(offset + s * C_, s_.species * C_, C_, C_, 1 / std::sqrt(static_cast<double>(C_ * s_.species)), m.at,
                 m.out);
      of_species.push_back(m);
    }
    return of_species;
  }

  std::size_t product(int t, const ProductBasis& basis) {
    const std::size_t at = plan_.allocate(static_cast<std::size_t>(s_.species) * basis.weights * pad_);
    for (const ProductBasis::Mixing& m : basis.mixing) {
      const std::size_t offset = p_.entry(fmt::format("product.{}.{}.{}.weight", t, m.L, m.nu)).offset;
      for (int s = 0; s < s_.species; ++s) {
        plan_.mix(offset + static_cast<std::size_t>(s) * m.paths * C_, m.paths, C_, m.mix, m.independent,
                  at + (static_cast<std::size_t>(s) * basis.weights + m.weight) * pad_, pad_);
      }
    }
    return at;
  }

  std::vector<Matrix> readout(int t) {
    const double scale = 1 / std::sqrt(static_cast<double>(C_));
    if (t + 1 < s_.layers) return {plain(fmt::format("readout.{}.weight", t), C_, 1, pad_, padded<T>(1), scale)};
    const int hidden = s_.readout_mlp;
    return {plain(fmt::format("readout.{}.linear_1.weight", t), C_, hidden, pad_, padded<T>(hidden), scale),
            plain(fmt::format("readout.{}.linear_2.weight", t), hidden, 1, padded<T>(hidden), padded<T>(1),
                  1 / std::sqrt(static_cast<double>(hidden)))};
  }

  MaceLayer layer(int t, std::shared_ptr<const ProductBasis> basis) {
    MaceLayer layer;
    layer.in = channel_layout<T>(C_, s_.in_L(t));
    layer.message = channel_layout<T>(C_, s_.l_max);
    layer.out = channel_layout<T>(C_, s_.out_L(t));
    layer.convolution = std::make_unique<Convolution>(layer.in, s_.l_max);
    layer.basis = std::move(basis);
    layer.residual = s_.residual(t);
    const double channel_scale = 1 / std::sqrt(static_cast<double>(C_));
    for (int l = 0; l <= s_.in_L(t); ++l) {
      layer.linear_up.push_back(channels(fmt::format("interaction.{}.linear_up.{}.weight", t, l), channel_scale));
    }
    layer.radial = radial(t, static_cast<int>(layer.convolution->paths.size()));
    if (s_.density_normalised) layer.density = density(t);
    for (int l3 = 0; l3 <= s_.l_max; ++l3) layer.linear.push_back(linear(t, l3, count_paths(s_.in_L(t), s_.l_max, l3)));
    for (int l = 0; l <= s_.skip_L(t); ++l) layer.skip.push_back(skip(t, l));
    layer.product = product(t, *layer.basis);
    for (int L = 0; L <= s_.out_L(t); ++L) {
      layer.product_linear.push_back(channels(fmt::format("product.{}.linear.{}.weight", t, L), channel_scale));
    }
    layer.readout = readout(t);
    return layer;
  }

 private:
  const MaceShape& s_;
  const Parameters& p_;
  WeightPlan& plan_;
  int C_, pad_;
};

std::shared_ptr<const ProductBasis> basis_up_to(int L, const std::vector<CouplingTable>& tables, int l_max) {
  std::vector<CouplingTable> chosen;
  std::copy_if(tables.begin(), tables.end(), std::back_inserter(chosen),
               [&](const CouplingTable& t) { return t.L <= L; });
  return std::make_shared<const ProductBasis>(chosen, l_max);
}

}  // namespace

template <class T>
MaceWeights plan_weights(const MaceShape& shape, const Parameters& parameters,
                         const std::vector<CouplingTable>& tables) {
  MaceWeights weights;
  Planner<T> planner(shape, parameters, weights.plan);
  const int pad = padded<T>(shape.channels);
  weights.embedding.add(0, shape.channels, pad);
  weights.embedding_at = planner
                             .plain("embedding.weight", shape.species, shape.channels, shape.species, pad,
                                    1 / std::sqrt(static_cast<double>(shape.species)))
                             .at;
  const auto scalars = basis_up_to(0, tables, shape.l_max);
  const auto all = shape.L_max > 0 ? basis_up_to(shape.L_max, tables, shape.l_max) : scalars;
  for (int t = 0; t < shape.layers; ++t) weights.layers.push_back(planner.layer(t, shape.out_L(t) > 0 ? all : scalars));
  if (shape.pair_energy) {
    const int rows = shape.species * shape.species;
    weights.pair = planner.plain("pair.weight", rows, shape.num_bessel, rows, shape.num_bessel, 1).at;
  }
  return weights;
}

template MaceWeights plan_weights<float>(const MaceShape&, const Parameters&, const std::vector<CouplingTable>&);
template MaceWeights plan_weights<double>(const MaceShape&, const Parameters&, const std::vector<CouplingTable>&);

}  // namespace isotrope
