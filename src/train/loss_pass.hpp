// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <optional>
#include <span>

#include "evaluate/prediction.hpp"
#include "models/potential.hpp"
#include "train/batches.hpp"
#include "train/latent_loss.hpp"
#include "train/loss.hpp"
#include "train/views.hpp"

namespace isotrope {

/// The loss of a batch, its errors and its exact gradient by the parameters, for any potential. Scratch is kept between
/// calls.
class LossPass {
 public:
  LossPass(const Potential& potential, const LossConfig& loss);
  /// With a latent loss, where the configuration asks for one; `names` are the parameters of the model.
  LossPass(const Potential& potential, const LossConfig& loss, const EquivarianceConfig& equivariance,
           const Parameters& names);

  /// Adds the derivative of this batch's share of the loss to `gradient` [parameters]; `counts` are those of the batch
  /// of all ranks.
  LossTerms add_gradient(const Batch& batch, const LossCounts& counts, std::span<double> gradient);
  /// The same for the views of a batch (train/views.hpp), with the latent loss where there are two; `counts` are those
  /// of the first views. `parameters` are those of the potential.
  LossTerms add_gradient(const Views& views, const LossCounts& counts, std::span<const double> parameters,
                         std::span<double> gradient);
  /// The share of the loss and the errors, without the gradient.
  LossTerms measure(const Batch& batch, const LossCounts& counts, ErrorSums& errors);

 private:
  LossTerms evaluate(const Batch& batch, const LossCounts& counts);
  void set_tangent(const Graph& graph);
  double add_latent(const Views& views, const LossCounts& counts, std::span<const double> parameters,
                    std::span<double> gradient);

  const Potential& potential_;
  LossConfig loss_;
  std::unique_ptr<Workspace> workspace_;
  NoHalo halo_;
  Result result_;
  Prediction prediction_;
  LossDerivative derivative_;
  LossTangent tangent_;
  EquivarianceConfig equivariance_;
  std::optional<LatentLoss> latent_;
};

}  // namespace isotrope
