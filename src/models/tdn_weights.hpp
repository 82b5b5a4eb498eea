// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/component_norm.hpp"
#include "layers/edge_lengths.hpp"
#include "layers/normed_mlp.hpp"
#include "layers/weights.hpp"
#include "models/tdn_shape.hpp"

namespace isotrope {

/// A linear layer of channels; its bias acts on scalars only.
struct BiasedMatrix {
  Matrix matrix;
  std::size_t bias = 0;
};

/// The linear layer before a gate or the logits: all that scalars give in one matrix, and the values alone, which is
/// what higher degrees need.
struct WideMatrix {
  Matrix scalars;        ///< pad -> parts * pad
  std::size_t bias = 0;  ///< [parts * pad]
  Matrix vectors;        ///< pad -> pad
};

struct TdnAttention {
  BiasedMatrix source;
  Matrix target;
  NormedMlp radial;
  WideMatrix wide;  ///< score, value, gate
  std::size_t score = 0, self_logit = 0;
  BiasedMatrix project;
};

struct TdnBlock {
  ComponentNorm norm_1, norm_2;
  TdnAttention attention;
  WideMatrix feed_1;  ///< value, gate
  BiasedMatrix feed_2;
};

/// All layers of a TDN model and the plan that fills their weights from the flat parameters.
struct TdnWeights {
  WeightPlan plan;
  Layout scalars, vectors, higher, features;  ///< l = 0; l = 1; l = 1 ... l_max; all
  std::size_t embedding = 0;                  ///< [species][pad], with the bias
  GaussianBasis gaussians;
  std::size_t degree = 0;  ///< q [pad]
  NormedMlp degree_radial;
  BiasedMatrix degree_project;
  std::vector<TdnBlock> blocks;
  ComponentNorm norm;
  BiasedMatrix energy_1, energy_2;
  TdnAttention force;
  Matrix force_project;  ///< to one channel
};

/// T: the precision, which sets the padding.
template <class T>
TdnWeights plan_weights(const TdnShape& shape, const Parameters& parameters);

}  // namespace isotrope
