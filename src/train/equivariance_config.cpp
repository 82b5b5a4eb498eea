// SPDX-License-Identifier: MIT
#include "train/equivariance_config.hpp"

#include "train/yaml_reader.hpp"

namespace isotrope {

EquivarianceConfig read_equivariance(YamlSection& section) {
  EquivarianceConfig config;
  config.augmentation =
      section.has("augmentation") && section.choice("augmentation", {"none", "rotation"}) == "rotation";
  config.latent_weight = section.get<double>("latent_weight", 0.0);
  if (!(config.latent_weight >= 0 && config.latent_weight < 1e300))
    section.refuse("latent_weight", "expected a number of 0 or more, found {}", config.latent_weight);
  config.per_atom = section.has("latent") && section.choice("latent", {"pooled", "per_atom"}) == "per_atom";
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
          {"latent", config.per_atom ? "per_atom" : "pooled"},
          {"normalise", config.normalise},
          {"both_branches", config.both_branches},
          {"rotation_per", config.rotation_per_batch ? "batch" : "structure"},
          {"loss_on_both_views", config.loss_on_both_views}};
}

}  // namespace isotrope
