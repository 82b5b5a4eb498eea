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

/// Least squares as they add up: A^T A, A^T b, b^T b of the forces.
struct NormalEquations {
  Eigen::MatrixXd normal;
  Eigen::VectorXd right;
  double squares = 0, components = 0;

  explicit NormalEquations(int unknowns)
      : normal(Eigen::MatrixXd::Zero(unknowns, unknowns)), right(Eigen::VectorXd::Zero(unknowns)) {}
  void add(const Batch& one, const Eigen::MatrixXd& rows, const std::vector<double>& atomic_energies);
  void sum(const Communicator& communicator);
};

Eigen::VectorXd forces_of(const Labels& labels) {
  Eigen::VectorXd forces(3 * static_cast<Eigen::Index>(labels.forces.size()));
  for (std::size_t i = 0; i < labels.forces.size(); ++i)
    for (int k = 0; k < 3; ++k) forces[3 * static_cast<Eigen::Index>(i) + k] = labels.forces[i][k];
  return forces;
}

void NormalEquations::add(const Batch& one, const Eigen::MatrixXd& rows, const std::vector<double>& atomic_energies) {
  if (one.labels.has_energy[0]) {
    double energy = one.labels.energy[0];
    for (const int s : one.graph.species) energy -= atomic_energies[s];
    normal += rows.row(0).transpose() * rows.row(0);
    right += energy * rows.row(0).transpose();
  }
  if (!one.labels.has_forces[0]) return;
  const Eigen::VectorXd forces = forces_of(one.labels);
  const auto force_rows = rows.bottomRows(forces.size());
  normal += force_rows.transpose() * force_rows;
  right += force_rows.transpose() * forces;
  squares += forces.squaredNorm();
  components += static_cast<double>(forces.size());
}

void NormalEquations::sum(const Communicator& communicator) {
  communicator.sum({normal.data(), static_cast<std::size_t>(normal.size())});
  communicator.sum({right.data(), static_cast<std::size_t>(right.size())});
  communicator.sum({&squares, 1});
  communicator.sum({&components, 1});
}

}  // namespace

PairFit fit_pair_energy(ModelRecord& record, const SampleSet& set, const LoaderOptions& options,
                        const Communicator& communicator) {
  PairFit fit;
  if (!record.parameters.contains("pair.weight")) return fit;
  const SpeciesMap species(record.elements);
  const BesselBasis basis = basis_of(record);
  const Unknowns unknowns{static_cast<int>(record.elements.size()), basis.count};
  NormalEquations equations(unknowns.size());
  for_each_single(set, species, record.cutoff, options, [&](const Batch& one) {
    equations.add(one, design(one.graph, basis, unknowns), record.atomic_energies);
  });
  equations.sum(communicator);
  const double ridge = 1e-9 * equations.normal.trace() / unknowns.size();
  if (!(ridge > 0) || equations.squares == 0) return fit;  // no edge, or no force to fit
  const Eigen::MatrixXd damped = equations.normal + ridge * Eigen::MatrixXd::Identity(unknowns.size(), unknowns.size());
  const Eigen::VectorXd weights = damped.ldlt().solve(equations.right);

  double remaining = 0;
  for_each_single(set, species, record.cutoff, options, [&](const Batch& one) {
    if (!one.labels.has_forces[0]) return;
    const Eigen::VectorXd forces = forces_of(one.labels);
    remaining += (forces - (design(one.graph, basis, unknowns) * weights).tail(forces.size())).squaredNorm();
  });
  communicator.sum({&remaining, 1});
  fit = {true, std::sqrt(equations.squares / equations.components), std::sqrt(remaining / equations.components)};
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
