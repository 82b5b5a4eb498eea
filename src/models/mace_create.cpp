// SPDX-License-Identifier: MIT
#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "models/mace.hpp"
#include "models/mace_shape.hpp"
#include "models/strict_json.hpp"
#include "so3/couplings.hpp"
#include "so3/gaunt_powers.hpp"

namespace isotrope {
namespace {

/// 1 / sqrt(E[silu(z)^2]) for standard normal z, as e3nn has it.
constexpr double silu_norm = 1.6791767923989418;

/// As the user wrote them, so that MaceShape checks them (a fraction for a whole number, say).
nlohmann::json hyperparameters(const StrictJson& config, const DataStatistics& statistics) {
  const auto value = [&](const char* key, const nlohmann::json& otherwise) {
    return config.contains(key) ? config.at(key) : otherwise;
  };
  return {{"hidden_irreps", value("hidden_irreps", "64x0e")},
          {"l_max", value("l_max", 3)},
          {"layers", value("layers", 2)},
          {"correlation", value("correlation", 3)},
          {"num_bessel", value("num_bessel", 8)},
          {"cutoff_power", value("cutoff_power", 5)},
          {"radial_mlp", value("radial_mlp", std::vector<int>{64, 64, 64})},
          {"readout_mlp", value("readout_mlp", 16)},
          // Without self connection in the first layer and without shift an isolated atom has exactly E0.
          {"first_residual", false},
          {"average_neighbours", statistics.average_neighbours},
          {"scale", statistics.force_rms},
          {"shift", 0.0},
          {"activation_norm", silu_norm},
          {"pair_energy", value("pair_energy", false)},
          {"product", value("product", "clebsch-gordan")}};
}

void add_couplings(const MaceShape& shape, ModelRecord& record) {
  for (int L = 0; L <= (shape.layers > 1 ? shape.L_max : 0); ++L) {
    for (int nu = shape.correlation; nu >= 1; --nu) {
      const Couplings u =
          shape.gaunt ? gaunt_power_couplings(shape.l_max, L, nu) : symmetric_couplings(shape.l_max, L, nu);
      const std::string name = fmt::format("coupling.{}.{}", L, nu);
      record.tables[name + ".indices"] = {{u.nonzeros(), nu + 2}, {u.indices.begin(), u.indices.end()}};
      record.tables[name + ".values"] = {{u.nonzeros()}, u.values};
    }
  }
}

/// Standard normal numbers; products divided by their number of paths, so that B stays of order one. The pair term
/// starts from 0.
void draw_parameters(Parameters& parameters, std::uint64_t seed) {
  SplitMix random(seed);
  for (const Parameters::Entry& entry : parameters.entries()) {
    if (entry.name == "pair.weight") continue;
    const bool coupling = entry.name.starts_with("product.") && entry.shape.size() == 3;
    const double scale = coupling ? 1.0 / entry.shape[1] : 1.0;
    for (double& value : parameters[entry.name]) value = scale * random.normal();
  }
}

}  // namespace

ModelRecord create_mace(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
  const StrictJson checked(config, "model",
                           {"architecture", "cutoff", "hidden_irreps", "l_max", "layers", "correlation", "num_bessel",
                            "cutoff_power", "radial_mlp", "readout_mlp", "pair_energy", "product"});
  ModelRecord record;
  record.architecture = "mace";
  record.elements = statistics.elements;
  record.atomic_energies = statistics.atomic_energies;
  record.cutoff = checked.get<double>("cutoff");
  require(record.cutoff > 0, "model: 'cutoff' must be positive (Å), found {}", record.cutoff);
  record.hyperparameters = hyperparameters(checked, statistics);
  const MaceShape shape =
      MaceShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  add_couplings(shape, record);
  std::vector<double> frequencies(shape.num_bessel);
  for (int n = 0; n < shape.num_bessel; ++n) frequencies[n] = (n + 1) * std::numbers::pi / record.cutoff;
  record.tables["bessel.frequencies"] = {{shape.num_bessel}, frequencies};
  record.parameters = declare_parameters(shape, coupling_tables(record, shape));
  draw_parameters(record.parameters, seed);
  return record;
}

}  // namespace isotrope
