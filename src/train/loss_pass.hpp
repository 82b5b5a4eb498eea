// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <span>

#include "evaluate/prediction.hpp"
#include "models/potential.hpp"
#include "train/batches.hpp"
#include "train/loss.hpp"

namespace isotrope {

/// The loss of a batch, its errors and its exact gradient by the parameters, for any potential. Scratch is kept between
/// calls.
class LossPass {
 public:
  LossPass(const Potential& potential, const LossConfig& loss);

  /// Adds the derivative of this batch's share of the loss to `gradient` [parameters]; `counts` are those of the batch
  /// of all ranks.
  LossTerms add_gradient(const Batch& batch, const LossCounts& counts, std::span<double> gradient);
  /// The share of the loss and the errors, without the gradient.
  LossTerms measure(const Batch& batch, const LossCounts& counts, ErrorSums& errors);

 private:
  LossTerms evaluate(const Batch& batch, const LossCounts& counts);

  const Potential& potential_;
  LossConfig loss_;
  std::unique_ptr<Workspace> workspace_;
  NoHalo halo_;
  Result result_;
  Prediction prediction_;
  LossDerivative derivative_;
  LossTangent tangent_;
};

}  // namespace isotrope
