// SPDX-License-Identifier: MIT
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "models/nequip.hpp"
#include "models/nequip_shape.hpp"
#include "models/strict_json.hpp"
#include "so3/clebsch_gordan.hpp"

namespace isotrope {
namespace {

/// 1 / sqrt(E[f(z)^2]) for standard normal z, as e3nn has it.
constexpr double silu_norm = 1.6791767923989418, tanh_norm = 1.5937334472592695;

/// The blocks of `hidden` that couplings of `from` with the harmonics reach.
std::vector<Irrep> reachable(const std::vector<Irrep>& from, const std::vector<Irrep>& hidden, int l_max, bool parity) {
  std::vector<Irrep> found;
  for (const Irrep& to : hidden) {
    bool reached = false;
    for (const Irrep& b : from) {
      for (int l2 = std::abs(b.l - to.l); l2 <= std::min(l_max, b.l + to.l); ++l2) {
        reached = reached || b.parity * (parity && l2 % 2 != 0 ? -1 : 1) == to.parity;
      }
    }
    if (reached) found.push_back(to);
  }
  return found;
}

/// Features of the elements, after each layer as much of `hidden` as couplings reach and
/// the layers that follow read (couplings go either way), in the end the scalars alone.
std::vector<std::string> irreps_of(const Irreps& hidden, int layers, int l_max, bool parity) {
  const Irrep& first = hidden.blocks().front();
  require(first.l == 0 && first.parity == 1,
          "model: 'hidden_irreps' must begin with even scalars, such as 32x0e, found {}", hidden.text());
  check_irreps(hidden, false, true);
  std::vector<std::vector<Irrep>> blocks{{first}};
  for (int t = 0; t + 1 < layers; ++t) blocks.push_back(reachable(blocks.back(), hidden.blocks(), l_max, parity));
  blocks.push_back({first});
  for (int t = layers - 1; t > 0; --t) blocks[t] = reachable(blocks[t + 1], blocks[t], l_max, parity);
  std::vector<std::string> irreps;
  for (const auto& of_layer : blocks) irreps.push_back(Irreps(of_layer).text());
  return irreps;
}

/// Without self connection in the first layer, without bias and shift an isolated atom has exactly E0.
std::vector<std::string> self_connections(const StrictJson& config, int layers) {
  std::vector<std::string> words(layers, config.get<std::string>("self_connection", "species"));
  words[0] = "none";
  return words;
}

nlohmann::json hyperparameters(const StrictJson& config, const DataStatistics& statistics, double cutoff) {
  const auto value = [&](const char* key, const nlohmann::json& otherwise) {
    return config.contains(key) ? config.at(key) : otherwise;
  };
  const Irreps hidden = Irreps::parse(config.get<std::string>("hidden_irreps", "32x0e+32x1o+16x2e"));
  const bool parity = config.get<bool>("parity", true);
  const int layers = config.contains("layers") ? config.integer("layers", 1, 16) : 3;
  const int l_max = config.contains("l_max") ? config.integer("l_max", 1, 3) : std::max(1, hidden.l_max());
  return {{"irreps", irreps_of(hidden, layers, l_max, parity)},
          {"l_max", l_max},
          {"parity", parity},
          {"normalize_harmonics", true},
          {"num_bessel", value("num_bessel", 8)},
          {"bessel_prefactor", std::sqrt(2 / cutoff)},
          {"cutoff_function", {{"kind", "polynomial"}, {"power", value("cutoff_power", 6)}}},
          {"radial_mlp", value("radial_mlp", std::vector<int>{64, 64})},
          {"self_connection", self_connections(config, layers)},
          {"denominators", std::sqrt(statistics.average_neighbours)},
          {"train_denominators", value("train_denominators", false)},
          {"bias", false},
          {"readout_hidden", value("readout_hidden", 16)},
          {"scale", statistics.force_rms},
          {"shift", 0.0},
          {"silu_norm", silu_norm},
          {"tanh_norm", tanh_norm}};
}

void add_couplings(const NequipShape& shape, ModelRecord& record) {
  for (int t = 0; t < shape.layers(); ++t) {
    for (const NequipShape::Path& path : shape.paths(t)) {
      const int l1 = shape.in(t)[path.in].l, l3 = shape.out(t)[path.out].l;
      record.tables[coupling_name(l1, path.l2, l3)] = {{2 * l1 + 1, 2 * path.l2 + 1, 2 * l3 + 1},
                                                       wigner_3j(l1, path.l2, l3)};
    }
  }
}

void draw_parameters(const NequipShape& shape, double cutoff, std::uint64_t seed, Parameters& parameters) {
  SplitMix random(seed);
  for (double& value : parameters.values()) value = random.normal();
  const auto frequencies = parameters["bessel.frequencies"];
  for (int n = 0; n < shape.num_bessel; ++n) frequencies[n] = (n + 1) * std::numbers::pi / cutoff;
  for (int t = 0; t < shape.layers() && shape.train_denominators; ++t) {
    parameters[fmt::format("layer.{}.denominator", t)][0] = shape.denominators[t];
  }
}

}  // namespace

ModelRecord create_nequip(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
  const StrictJson checked(config, "model",
                           {"architecture", "cutoff", "hidden_irreps", "parity", "l_max", "layers", "num_bessel",
                            "cutoff_power", "radial_mlp", "self_connection", "train_denominators", "readout_hidden"});
  ModelRecord record;
  record.architecture = "nequip";
  record.elements = statistics.elements;
  record.atomic_energies = statistics.atomic_energies;
  record.cutoff = checked.get<double>("cutoff");
  require(record.cutoff > 0, "model: 'cutoff' must be positive (Å), found {}", record.cutoff);
  record.hyperparameters = hyperparameters(checked, statistics, record.cutoff);
  const NequipShape shape =
      NequipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  add_couplings(shape, record);
  record.parameters = declare_parameters(shape);
  draw_parameters(shape, record.cutoff, seed, record.parameters);
  return record;
}

}  // namespace isotrope
