// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "layers/convolution.hpp"
#include "layers/product_basis.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/weights.hpp"
#include "models/mace_shape.hpp"

namespace isotrope {

/// One interaction with its product and readout: where its prepared weights lie, and the fixed tables it works with.
struct MaceLayer {
  Layout in, message, out;
  std::unique_ptr<Convolution> convolution;
  std::shared_ptr<const ProductBasis> basis;
  std::vector<Matrix> linear_up;  ///< [l]
  RadialMlp radial;
  std::size_t density = 0;                ///< [num_bessel] where messages are normalised by density
  std::vector<Matrix> linear;             ///< [l3], all paths to l3 -> channels
  std::vector<std::vector<Matrix>> skip;  ///< [l][species]
  bool residual = false;
  std::size_t product = 0;             ///< [species][basis->weights][pad]
  std::vector<Matrix> product_linear;  ///< [L]
  std::vector<Matrix> readout;         ///< one matrix, or two with silu between
};

/// All layers of a MACE model and the plan that fills their weights from the flat parameters.
struct MaceWeights {
  WeightPlan plan;
  Layout embedding;              ///< scalars
  std::size_t embedding_at = 0;  ///< [species][pad]
  std::vector<MaceLayer> layers;
  std::size_t pair = 0;  ///< [S][S][num_bessel] where the shape has it
};

/// T: the precision, which sets the padding.
template <class T>
MaceWeights plan_weights(const MaceShape& shape, const Parameters& parameters,
                         const std::vector<CouplingTable>& tables);

}  // namespace isotrope
