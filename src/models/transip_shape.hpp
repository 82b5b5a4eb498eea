// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "geometry/frames.hpp"
#include "layers/attention.hpp"
#include "models/model_record.hpp"
#include "models/potential.hpp"

namespace isotrope {

/// Hyperparameters of the TransIP architecture (docs/model-format.md).
struct TransipShape {
  HeadShape heads;
  int width = 0;  ///< of the features of a token
  int layers = 0;
  int hidden = 0;                            ///< of the network of a layer
  int frequencies = 0;                       ///< of a direction, a sixth of the size of a head
  std::vector<int> charges, multiplicities;  ///< that there is an embedding for
  Forces forces = Forces::gradient;
  int latent_hidden = 0;             ///< of the network T of latent equivariance; 0: none
  bool latent_per_layer = false;     ///< a network T for every layer; latent features of every layer are given
  double scale = 1;                  ///< eV, and eV/Å of direct forces
  double cutoff = 0;                 ///< Å, of the local variant; 0: every atom sees every other
  double logit_bound = 0;            ///< of the local variant
  std::optional<FrameGroup> frames;  ///< that the model is averaged over
  double frame_gap = 0;              ///< below which frames give way to the axes of the laboratory
  int species = 0;

  /// Throws naming the key that is missing, unknown or out of range.
  static TransipShape from(const nlohmann::json& hyperparameters, int species, double cutoff);

  int latent_layers() const { return latent_per_layer ? layers : 1; }
  int embeddings() const { return species + static_cast<int>(charges.size() + multiplicities.size()); }
};

/// Names and shapes of all parameters, zero, in the order of docs/model-format.md.
Parameters declare_parameters(const TransipShape& shape);

}  // namespace isotrope
