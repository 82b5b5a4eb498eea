// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/convolution.hpp"
#include "layers/irreps_gate.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/weights.hpp"
#include "models/nequip_shape.hpp"

namespace isotrope {

/// One interaction: where its prepared weights lie, and the fixed tables it works with.
struct NequipLayer {
  Layout in;
  std::unique_ptr<Convolution> convolution;  ///< its message blocks are those of the gate
  IrrepsGate gate;
  std::vector<Matrix> linear_1;  ///< [blocks of in]
  RadialMlp radial;
  std::vector<Matrix> linear_2;  ///< [blocks of the gate] all paths to the block -> its channels and gates
  /// What the self connection adds from a block of `in` to one of the gate: one matrix, or one for each species.
  struct Self {
    int in, out;
    std::vector<Matrix> matrix;
  };
  std::vector<Self> self;
  std::size_t bias_1 = WeightPlan::none, bias_2 = WeightPlan::none;
};

/// All layers of a NequIP model and the plan that fills their weights from the flat parameters.
struct NequipWeights {
  WeightPlan plan;
  Layout embedding;              ///< scalars
  std::size_t embedding_at = 0;  ///< [species][pad]
  std::vector<NequipLayer> layers;
  std::vector<Matrix> readout;  ///< two linear functions, one after the other
  std::size_t frequencies = 0;  ///< offset of the Bessel frequencies in the parameters
};

/// T: the precision, which sets the padding. `signs` are those of coupling_signs.
template <class T>
NequipWeights plan_weights(const NequipShape& shape, const Parameters& parameters,
                           const std::vector<std::vector<double>>& signs);

}  // namespace isotrope
