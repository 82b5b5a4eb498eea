// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "models/potential.hpp"

namespace isotrope::test {

/// A potential small enough to differentiate on paper, for tests of everything around a potential. With Gaussians of
/// the distance under a smooth cutoff, phi_k(r) = exp(-(r - c_k)^2 / w^2) (1 - r^2/R^2)^3, and rho_i = sum_j sum_k
/// W[s_i, s_j, k] phi_k(r_ij): E_i = rho_i + b[s_i] rho_i^2, so that forces depend on the parameters non-linearly.
class ToyPotential final : public Potential {
 public:
  static constexpr int gaussians = 6;

  explicit ToyPotential(const ModelRecord& record) : parameters_(record.parameters) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = record.cutoff;
  }

  static ModelRecord create(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
    for (const auto& [key, value] : config.items())
      require(key == "architecture" || key == "cutoff", "model: unknown key '{}'", key);
    ModelRecord record;
    record.architecture = "toy";
    record.hyperparameters = nlohmann::json::object();
    record.elements = statistics.elements;
    record.atomic_energies = statistics.atomic_energies;
    record.cutoff = config.at("cutoff");
    const int n = static_cast<int>(record.elements.size());
    record.parameters.add("toy.pairs", {n, n, gaussians});
    record.parameters.add("toy.squares", {n});
    SplitMix random(seed);
    for (double& value : record.parameters.values()) value = static_cast<double>(random.below(2001)) / 5000.0 - 0.2;
    return record;
  }
  static std::unique_ptr<Potential> make(const ModelRecord& record, Precision) {
    return std::make_unique<ToyPotential>(record);
  }

  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<Workspace>(); }
  void set_parameters(std::span<const double> values) override {
    std::copy(values.begin(), values.end(), parameters_.values().begin());
  }

  void evaluate(const Graph& graph, Halo&, Workspace&, Result& result) const override {
    result.atom_energy.assign(graph.owned, 0.0);
    result.dE_dr.assign(graph.edges(), Vec3{});
    for (int i = 0; i < graph.owned; ++i) {
      double rho = 0;
      for (auto e = graph.first[i]; e < graph.first[i + 1]; ++e) rho += pair(graph, i, e).value;
      const double b = square(graph.species[i]);
      result.atom_energy[i] = rho + b * rho * rho;
      for (auto e = graph.first[i]; e < graph.first[i + 1]; ++e)
        result.dE_dr[e] = ((1 + 2 * b * rho) * pair(graph, i, e).slope / length(graph.r[e])) * graph.r[e];
    }
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace&,
                         std::span<double> gradient) const override {
    for (int i = 0; i < graph.owned; ++i) {
      double rho = 0, tau = 0;  // tau: the change of rho along the tangent of the edges
      for (auto e = graph.first[i]; e < graph.first[i + 1]; ++e) {
        rho += pair(graph, i, e).value;
        tau += pair(graph, i, e).slope * along(graph, tangent, e);
      }
      const int s = graph.species[i];
      const double b = square(s), dL_dE = tangent.energy[graph.graph[i]];
      for (auto e = graph.first[i]; e < graph.first[i + 1]; ++e) {
        const double u = along(graph, tangent, e);
        for (int k = 0; k < gaussians; ++k) {
          const auto [value, slope] = basis(k, length(graph.r[e]));
          gradient[index(s, graph.species[graph.neighbour[e]], k)] +=
              (1 + 2 * b * rho) * (dL_dE * value + slope * u) + 2 * b * tau * value;
        }
      }
      gradient[square_offset() + s] += dL_dE * rho * rho + 2 * rho * tau;
    }
  }

 private:
  struct Value {
    double value = 0, slope = 0;
  };

  static double length(const Vec3& r) { return std::sqrt(dot(r, r)); }
  static double along(const Graph& graph, const LossTangent& tangent, std::int64_t e) {
    return dot(graph.r[e], tangent.dr[e]) / length(graph.r[e]);
  }
  Value basis(int k, double r) const {
    const double width = info_.cutoff / gaussians, centre = (k + 0.5) * width, x = (r - centre) / width;
    const double gauss = std::exp(-x * x), y = 1 - r * r / (info_.cutoff * info_.cutoff);
    const double cut = y * y * y, cut_slope = -6 * r / (info_.cutoff * info_.cutoff) * y * y;
    return {gauss * cut, gauss * (cut_slope - 2 * x / width * cut)};
  }
  std::size_t index(int receiver, int sender, int k) const {
    return (receiver * info_.elements.size() + sender) * gaussians + k;
  }
  std::size_t square_offset() const { return info_.elements.size() * info_.elements.size() * gaussians; }
  double square(int species) const { return parameters_.values()[square_offset() + species]; }
  Value pair(const Graph& graph, int i, std::int64_t e) const {
    Value sum;
    for (int k = 0; k < gaussians; ++k) {
      const Value b = basis(k, length(graph.r[e]));
      const double weight = parameters_.values()[index(graph.species[i], graph.species[graph.neighbour[e]], k)];
      sum.value += weight * b.value;
      sum.slope += weight * b.slope;
    }
    return sum;
  }

  PotentialInfo info_;
  Parameters parameters_;
};

}  // namespace isotrope::test
