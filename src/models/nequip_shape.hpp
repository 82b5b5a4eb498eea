// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/irreps.hpp"
#include "core/parameters.hpp"
#include "layers/edge_embedding.hpp"
#include "models/model_record.hpp"

namespace isotrope {

/// What a layer adds to its messages: nothing, a linear function of its input, or one with weights per element.
enum class SelfConnection { none, linear, species };

/// Hyperparameters of the NequIP architecture (docs/model-format.md).
struct NequipShape {
  std::vector<Irreps> irreps;  ///< [layers + 1] features on the way: of the elements, then after each layer
  EdgeHarmonics harmonics;
  bool parity = true;  ///< harmonics of parity (-1)^l; without, everything is even and the model SO(3) only
  int num_bessel = 8;
  double bessel_prefactor = 1;
  Envelope envelope;
  std::vector<int> radial_mlp{64, 64};
  std::vector<SelfConnection> self_connection;  ///< [layers]
  std::vector<double> denominators;             ///< [layers], where they are not trained
  bool train_denominators = false;
  bool bias = false;  ///< of the scalars, in the linear layers before and after the convolution
  int readout_hidden = 16;
  std::vector<double> scale, shift;  ///< [elements]
  double silu_norm = 1, tanh_norm = 1;
  int species = 0;

  /// Throws naming the key that is missing, unknown or out of range.
  static NequipShape from(const nlohmann::json& hyperparameters, int species, double cutoff);

  int layers() const { return static_cast<int>(self_connection.size()); }
  int l_max() const { return harmonics.l_max; }
  const std::vector<Irrep>& in(int layer) const { return irreps[layer].blocks(); }
  const std::vector<Irrep>& out(int layer) const { return irreps[layer + 1].blocks(); }
  int gates(int layer) const;  ///< one for each channel of l > 0 after the layer
  /// Scalars and gates are one block before the gate.
  int gate_width(int layer, int block) const { return out(layer)[block].mul + (block == 0 ? gates(layer) : 0); }

  /// A coupling of a block that comes in with a harmonic to a block that goes out.
  struct Path {
    int in, l2, out;
  };
  std::vector<Path> paths(int layer) const;  ///< sorted by (out, in, l2)
  int channels_to(int layer, int block) const;
};

/// Throws unless each irrep occurs once, l ascending to at most 3, even before odd; scalars come first, since gates and
/// readout need them.
void check_irreps(const Irreps& irreps, bool scalars_only, bool parity);

/// "1o": one irrep of a block.
std::string irrep_name(const Irrep& block);
int find_irrep(const std::vector<Irrep>& blocks, const Irrep& wanted);  ///< -1 where absent

/// Name of the table of one coupling.
std::string coupling_name(int l1, int l2, int l3);

/// Names and shapes of all parameters, zero, in the order of docs/model-format.md.
Parameters declare_parameters(const NequipShape& shape);

/// For every path of every layer the sign that the record's 3j symbol has relative to ours (so3/clebsch_gordan.hpp);
/// throws where a table is missing or is no 3j symbol.
std::vector<std::vector<double>> coupling_signs(const ModelRecord& record, const NequipShape& shape);

}  // namespace isotrope
