// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "layers/edge_attention.hpp"
#include "models/model_record.hpp"

namespace isotrope {

/// Hyperparameters of the TDN architecture (docs/model-format.md).
struct TdnShape {
  int channels = 0;
  int l_max = 1;
  int layers = 0;
  int heads = 0;
  int num_gaussians = 0;
  std::vector<int> radial_mlp{64, 64};
  bool cp_coupling = false;    ///< factors of the file in place of the exact tensor
  bool natural_parity = true;  ///< only paths with even l1 + l2 + l3: O(3) in place of SO(3)
  int cutoff_power = 5;        ///< of the envelope; 0: none
  double logit_bound = 5;      ///< 0: none
  bool isolated_zero = true;   ///< the energy of an atom without neighbours is subtracted
  double average_neighbours = 1;
  std::vector<double> scale, force_scale;  ///< [elements] of energies, of direct forces
  bool gradient_forces = true, direct_forces = false;
  int species = 0;
  double cutoff = 0;

  /// Throws naming the key that is missing, unknown or out of range.
  static TdnShape from(const nlohmann::json& hyperparameters, int species, double cutoff);

  int components() const { return (l_max + 1) * (l_max + 1); }
  bool smooth() const { return cutoff_power > 0; }
};

/// Names and shapes of all parameters, zero, in the order of docs/model-format.md.
Parameters declare_parameters(const TdnShape& shape);

/// The coupling tensor M [d][d][d]: exact, or from the tables cp.a, cp.b, cp.c of the record; throws where one is
/// missing.
std::vector<double> coupling_tensor(const ModelRecord& record, const TdnShape& shape);

}  // namespace isotrope
