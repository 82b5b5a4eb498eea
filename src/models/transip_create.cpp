// SPDX-License-Identifier: MIT
#include <cmath>
#include <map>
#include <numbers>

#include "core/random.hpp"
#include "models/strict_json.hpp"
#include "models/transip.hpp"
#include "models/transip_shape.hpp"

namespace isotrope {
namespace {

/// Sizes of our choice, with heads of 48 channels; the paper's are not public.
struct Preset {
  int width, layers, heads;
};
const std::map<std::string, Preset>& presets() {
  static const std::map<std::string, Preset> known{{"S", {96, 4, 2}}, {"M", {192, 6, 4}}, {"L", {384, 12, 8}}};
  return known;
}

/// As the user wrote them, so that TransipShape checks them.
nlohmann::json hyperparameters(const StrictJson& config, const DataStatistics& statistics, bool local) {
  const auto size = config.get<std::string>("size", "S");
  const auto preset = presets().find(size);
  require(preset != presets().end(), "model: 'size' must be S, M or L, found '{}'", size);
  const auto value = [&](const char* key, const nlohmann::json& otherwise) {
    return config.contains(key) ? config.at(key) : otherwise;
  };
  const nlohmann::json width = value("width", preset->second.width);
  const nlohmann::json hidden = width.is_number_integer() ? nlohmann::json(4 * width.get<int>()) : width;
  const auto known = [](const std::vector<int>& labelled, int otherwise) {
    return labelled.empty() ? std::vector<int>{otherwise} : labelled;
  };
  nlohmann::json found = {{"width", width},
                          {"layers", value("layers", preset->second.layers)},
                          {"heads", value("heads", preset->second.heads)},
                          {"hidden", value("hidden", hidden)},
                          {"charges", known(statistics.charges, 0)},
                          {"multiplicities", known(statistics.multiplicities, 1)},
                          {"forces", value("forces", "gradient")},
                          {"latent_hidden", value("latent_hidden", 0)},
                          {"scale", statistics.force_rms}};
  if (config.contains("latent_per_layer")) found["latent_per_layer"] = config.at("latent_per_layer");
  if (local) {
    found["logit_bound"] = value("logit_bound", 5.0);
  } else {
    found["frames"] = value("frames", "none");
    found["frame_gap"] = value("frame_gap", 0.02);
  }
  return found;
}

/// Rotary frequencies in rad/Å, whose wavelengths form a geometric series from the shortest to the longest.
std::vector<double> frequencies(const StrictJson& config, int count) {
  const auto lengths = config.get<std::vector<double>>("wavelengths", {1.0, 40.0});
  require(lengths.size() == 2 && lengths[0] > 0 && lengths[1] > lengths[0],
          "model: 'wavelengths' must be the shortest and the longest, in Å, found {}", nlohmann::json(lengths).dump());
  std::vector<double> omega(count);
  for (int k = 0; k < count; ++k) {
    const double part = count == 1 ? 0 : static_cast<double>(k) / (count - 1);
    omega[k] = 2 * std::numbers::pi / (lengths[0] * std::pow(lengths[1] / lengths[0], part));
  }
  return omega;
}

/// Standard normal numbers; gains are one, biases zero.
void draw_parameters(Parameters& parameters, std::uint64_t seed) {
  SplitMix random(seed);
  for (const Parameters::Entry& entry : parameters.entries()) {
    const bool gain = entry.name.ends_with("norm"), bias = entry.name.ends_with("bias");
    for (double& value : parameters[entry.name]) value = gain ? 1.0 : bias ? 0.0 : random.normal();
  }
}

}  // namespace

ModelRecord create_transip(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
  std::vector<std::string> known{"architecture", "size",   "width",         "layers",           "heads",
                                 "hidden",       "forces", "latent_hidden", "latent_per_layer", "cutoff",
                                 "wavelengths"};
  const bool local = config.contains("cutoff");
  const std::vector<std::string> of_variant =
      local ? std::vector<std::string>{"logit_bound"} : std::vector<std::string>{"frames", "frame_gap"};
  known.insert(known.end(), of_variant.begin(), of_variant.end());
  const StrictJson checked(config, "model", known);
  ModelRecord record;
  record.architecture = "transip";
  record.elements = statistics.elements;
  record.atomic_energies = statistics.atomic_energies;
  record.cutoff = checked.get<double>("cutoff", 0.0);
  require(!local || record.cutoff > 0, "model: 'cutoff' must be above 0 Å, found {}", record.cutoff);
  record.hyperparameters = hyperparameters(checked, statistics, local);
  const TransipShape shape =
      TransipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  record.tables["rotary.frequencies"] = {{shape.frequencies}, frequencies(checked, shape.frequencies)};
  record.parameters = declare_parameters(shape);
  draw_parameters(record.parameters, seed);
  return record;
}

}  // namespace isotrope
