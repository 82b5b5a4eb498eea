// SPDX-License-Identifier: MIT
#pragma once
#include "layers/degree_linear.hpp"

namespace isotrope {

/// Weights of a layer as a pass reads them, packed once for a set of weights and the elements that were met. Linear
/// layers with nothing between them are one matrix for plain numbers (MacePass::prepare_weights).
template <class T>
struct MacePassWeights {
  DegreeLinear<T> up, linear, product_linear;
  std::vector<DegreeLinear<T>> skip;  ///< [species]
  std::vector<PackedLinear<T>> readout;
  Buffer<T> product;
  const T* folded = nullptr;  ///< the product's coefficients (fold_product)
};

}  // namespace isotrope
