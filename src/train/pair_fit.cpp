// SPDX-License-Identifier: MIT
#include "train/pair_fit.hpp"

#include <Eigen/Dense>
#include <cmath>

#include "core/error.hpp"
#include "geometry/graph.hpp"
#include "layers/radial_basis.hpp"

namespace isotrope {
namespace {

/// Unordered element pairs times basis functions.
struct Unknowns {
  int species, count;
  int size() const { return species * (species + 1) / 2 * count; }
  int at(int a, int b, int n) const {
    const int low = std::min(a, b), high = std::max(a, b);
    return (high * (high + 1) / 2 + low) * count + n;
  }
};

BesselBasis basis_of(const ModelRecord& record) {
  const auto& frequencies = record.tables.at("bessel.frequencies").values;
  const Envelope envelope = Envelope::polynomial(record.hyperparameters.at("cutoff_power").get<int>(), record.cutoff);
  return BesselBasis::orthonormal(static_cast<int>(frequencies.size()), envelope, frequencies.data());
}

/// Rows of the design matrix of one structure: the energy, then 3 N forces. Each directed edge carries one basis value.
Eigen::MatrixXd design(const Graph& graph, const BesselBasis& basis, const Unknowns& unknowns) {
  Eigen::MatrixXd rows = Eigen::MatrixXd::Zero(1 + 3 * graph.owned, unknowns.size());
  for (int i = 0; i < graph.owned; ++i) {
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) {
      const int j = graph.neighbour[e];
      const Dual<double> r{std::sqrt(dot(graph.r[e], graph.r[e])), 1};
      const Dual<double> envelope = basis.scaled_envelope(r);
      for (int n = 0; n < basis.count; ++n) {
        const int column = unknowns.at(graph.species[i], graph.species[j], n);
        const Dual<double> b = basis.value(n, r, envelope);
        rows(0, column) += b.v;
        for (int k = 0; k < 3; ++k) {
          const double slope = b.t * graph.r[e][k] / r.v;
          rows(1 + 3 * i + k, column) += slope;
          rows(1 + 3 * j + k, column) -= slope;
        }
      }
    }
  }
  return rows;
}

}  // namespace

PairFit fit_pair_energy(ModelRecord& record, const std::vector<Sample>& samples) {
  PairFit fit;
  if (!record.parameters.contains("pair.weight")) return fit;
  const SpeciesMap species(record.elements);
  const BesselBasis basis = basis_of(record);
  const Unknowns unknowns{static_cast<int>(record.elements.size()), basis.count};
  Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(unknowns.size(), unknowns.size());
  Eigen::VectorXd right = Eigen::VectorXd::Zero(unknowns.size());
  double squares = 0, components = 0;
  for (const Sample& sample : samples) {
    const Structure& s = sample.structure;
    const Eigen::MatrixXd rows = design(make_graph(s, species, record.cutoff), basis, unknowns);
    if (s.energy) {
      double energy = *s.energy;
      for (const int z : s.numbers) energy -= record.atomic_energies[species(z)];
      normal += rows.row(0).transpose() * rows.row(0);
      right += energy * rows.row(0).transpose();
    }
    if (s.forces.empty()) continue;
    Eigen::VectorXd forces(3 * s.size());
    for (int i = 0; i < s.size(); ++i) {
      for (int k = 0; k < 3; ++k) forces[3 * i + k] = s.forces[i][k];
    }
    const auto force_rows = rows.bottomRows(3 * s.size());
    normal += force_rows.transpose() * force_rows;
    right += force_rows.transpose() * forces;
    squares += forces.squaredNorm();
    components += static_cast<double>(forces.size());
  }
  const double ridge = 1e-9 * normal.trace() / unknowns.size();
  if (!(ridge > 0) || squares == 0) return fit;  // no edge, or no force to fit
  const Eigen::MatrixXd damped = normal + ridge * Eigen::MatrixXd::Identity(unknowns.size(), unknowns.size());
  const Eigen::VectorXd weights = damped.ldlt().solve(right);

  double remaining = 0;
  for (const Sample& sample : samples) {
    const Structure& s = sample.structure;
    if (s.forces.empty()) continue;
    const Eigen::VectorXd predicted = design(make_graph(s, species, record.cutoff), basis, unknowns) * weights;
    for (int i = 0; i < s.size(); ++i) {
      for (int k = 0; k < 3; ++k) remaining += std::pow(s.forces[i][k] - predicted[1 + 3 * i + k], 2);
    }
  }
  fit = {true, std::sqrt(squares / components), std::sqrt(remaining / components)};
  // Labels that are a pair potential leave rounding: the scale of the network is then a floor, never zero.
  const double scale = std::max(fit.force_rms_after, 1e-6 * fit.force_rms_before);
  record.hyperparameters["scale"] = scale;
  const auto target = record.parameters["pair.weight"];
  for (int a = 0; a < unknowns.species; ++a) {
    for (int b = 0; b < unknowns.species; ++b) {
      for (int n = 0; n < unknowns.count; ++n) {
        target[(a * unknowns.species + b) * unknowns.count + n] = weights[unknowns.at(a, b, n)] / scale;
      }
    }
  }
  return fit;
}

}  // namespace isotrope
