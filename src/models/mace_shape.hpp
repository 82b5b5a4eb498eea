// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "core/irreps.hpp"
#include "layers/layout.hpp"
#include "layers/product_basis.hpp"
#include "layers/radial_basis.hpp"
#include "models/model_record.hpp"

namespace isotrope {

/// Hyperparameters of the MACE architecture (docs/model-format.md).
struct MaceShape {
  int channels = 0;
  int L_max = 0;  ///< of the features between layers
  int l_max = 3;
  int layers = 2;
  int correlation = 3;
  int num_bessel = 8;
  int cutoff_power = 5;
  std::vector<int> radial_mlp{64, 64, 64};
  int readout_mlp = 16;
  bool first_residual = false;
  double average_neighbours = 1;
  std::vector<double> scale, shift;  ///< [elements]
  double activation_norm = 1;
  bool pair_energy = false;
  bool agnesi = false;              ///< the radial basis is of transformed distances
  bool enveloped = true;            ///< the envelope is in the radial basis; else it multiplies the radial weights
  bool density_normalised = false;  ///< messages are divided by a learned density in place of average_neighbours
  bool zbl = false;                 ///< nuclear repulsion, within scale
  int zbl_power = 6;
  bool gaunt = false;  ///< the product basis is powers of a function on the sphere: one path per L and nu
  int species = 0;
  double cutoff = 0;

  /// Throws naming the key that is missing, unknown or out of range.
  static MaceShape from(const nlohmann::json& hyperparameters, int species, double cutoff);

  int in_L(int layer) const { return layer == 0 ? 0 : L_max; }
  int out_L(int layer) const { return layer + 1 == layers ? 0 : L_max; }
  bool residual(int layer) const { return layer > 0 || first_residual; }
  /// Largest l of the skip connection: of the message where it acts on the message, else what comes in and goes out.
  int skip_L(int layer) const { return residual(layer) ? std::min(in_L(layer), out_L(layer)) : l_max; }
};

/// The radial basis on frequencies [num_bessel].
BesselBasis mace_basis(const MaceShape& shape, const double* frequencies);

/// C channels for each l = 0 ... L.
template <class T>
Layout channel_layout(int channels, int L) {
  Layout layout;
  for (int l = 0; l <= L; ++l) layout.add(l, channels, padded<T>(channels));
  return layout;
}

/// Paths of the convolution of sender features up to L1 that end in l3 (natural parity, l2 <= l_max).
int count_paths(int L1, int l_max, int l3);

/// Names and shapes of all parameters, zero, in the order of docs/model-format.md; `paths[L][nu]` are those of the
/// coupling tables.
Parameters declare_parameters(const MaceShape& shape, const std::vector<CouplingTable>& tables);

/// The coupling tables of a record for all L <= L_max, every nu up to the correlation; throws where one is missing.
std::vector<CouplingTable> coupling_tables(const ModelRecord& record, const MaceShape& shape);

}  // namespace isotrope
