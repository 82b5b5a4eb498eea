// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>

namespace isotrope {

class YamlSection;

/// What the latent loss compares: means over the atoms, the features of each atom, or means after every layer.
enum class LatentKind { pooled, per_atom, per_layer };

/// Section `equivariance` of a training file: how a model that is not equivariant by construction learns to be.
struct EquivarianceConfig {
  bool augmentation = false;  ///< every structure is turned at random each step (TransAug)
  double latent_weight = 0;   ///< of the latent loss; 0: none
  LatentKind latent = LatentKind::pooled;
  bool normalise = true;            ///< features are divided by their root mean square
  bool both_branches = true;        ///< gradients flow through the features of the turned structure too
  bool rotation_per_batch = false;  ///< one rotation for all structures of a step
  bool loss_on_both_views = true;   ///< energies and forces of the turned structures are in the loss
};

/// Throws like the rest of the file, for unknown keys too.
EquivarianceConfig read_equivariance(YamlSection& section);
nlohmann::ordered_json to_json(const EquivarianceConfig& config);

}  // namespace isotrope
