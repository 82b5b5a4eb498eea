// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/packed_linear.hpp"
#include "layers/weights.hpp"
#include "models/transip_shape.hpp"

namespace isotrope {

/// Where the prepared weights of a layer lie. Features are padded to lanes, of heads each half to lanes of pairs.
struct TransipLayer {
  std::size_t attention_norm = 0, network_norm = 0;  ///< [pad]
  Matrix query, key_value, output;
  Matrix network[2];
};

struct TransipWeights {
  WeightPlan plan;
  int pad = 0, hidden_pad = 0;
  HeadShape heads;            ///< as stored
  std::size_t embedding = 0;  ///< [elements, charges, multiplicities][pad]
  std::vector<TransipLayer> layers;
  std::size_t norm = 0;  ///< [pad]
  Matrix energy[2], force[2];
};

/// The linear layers of prepared weights in the order in which products read them.
template <class T>
struct TransipMatrices {
  struct Layer {
    PackedLinear<T> query, key_value, output, network[2];
  };
  std::vector<Layer> layers;
  PackedLinear<T> energy[2], force[2];  ///< force: where the model has it
  void pack(const TransipWeights& plan, const T* weights);
};

/// T: the precision, which sets the padding.
template <class T>
TransipWeights plan_weights(const TransipShape& shape, const Parameters& parameters);

}  // namespace isotrope
