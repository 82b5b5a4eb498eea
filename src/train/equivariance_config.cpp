// SPDX-License-Identifier: MIT
#include "train/equivariance_config.hpp"

#include <string>

#include "train/yaml_reader.hpp"

namespace isotrope {
namespace {

LatentKind kind_named(const std::string& word) {
  if (word == "per_layer") return LatentKind::per_layer;
  return word == "per_atom" ? LatentKind::per_atom : LatentKind::pooled;
}

const char* name_of(LatentKind kind) {
  if (kind == LatentKind::per_layer) return "per_layer";
  return kind == LatentKind::per_atom ? "per_atom" : "pooled";
}

}  // namespace

EquivarianceConfig read_equivariance(YamlSection& section) {
  EquivarianceConfig config;
  config.augmentation =
      section.has("augmentation") && section.choice("augmentation", {"none", "rotation"}) == "rotation";
  config.latent_weight = section.get<double>("latent_weight", 0.0);
  if (!(config.latent_weight >= 0 && config.latent_weight < 1e300))
    section.refuse("latent_weight", "expected a number of 0 or more, found {}", config.latent_weight);
  if (section.has("latent")) config.latent = kind_named(section.choice("latent", {"pooled", "per_atom", "per_layer"}));
  config.normalise = section.get<bool>("normalise", config.normalise);
  config.both_branches = section.get<bool>("both_branches", config.both_branches);
  config.rotation_per_batch =
      section.has("rotation_per") && section.choice("rotation_per", {"structure", "batch"}) == "batch";
  config.loss_on_both_views = section.get<bool>("loss_on_both_views", config.loss_on_both_views);
  section.finish();
  return config;
}

nlohmann::ordered_json to_json(const EquivarianceConfig& config) {
  return {{"augmentation", config.augmentation ? "rotation" : "none"},
          {"latent_weight", config.latent_weight},
          {"latent", name_of(config.latent)},
          {"normalise", config.normalise},
          {"both_branches", config.both_branches},
          {"rotation_per", config.rotation_per_batch ? "batch" : "structure"},
          {"loss_on_both_views", config.loss_on_both_views}};
}

}  // namespace isotrope
