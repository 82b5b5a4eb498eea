// SPDX-License-Identifier: MIT
#include "train/loss_pass.hpp"

#include "core/error.hpp"
#include "geometry/forces.hpp"

namespace isotrope {

LossPass::LossPass(const Potential& potential, const LossConfig& loss)
    : potential_(potential), loss_(loss), workspace_(potential.make_workspace()) {
  const PotentialInfo& info = potential.info();
  require(loss.stress == 0 || info.forces == Forces::gradient,
          "loss.stress: the model has direct forces, for which there is no stress: set it to 0, or train a model with "
          "gradient forces");
  require(
      loss.direct_forces == 0 || (info.gradient_forces && info.direct_forces),
      "loss.direct_forces is the weight of direct forces beside gradient forces, and the model has {} forces alone: "
      "set it to 0, or train a model with both",
      name_of(info.forces));
}

LossTerms LossPass::evaluate(const Batch& batch, const LossCounts& counts) {
  potential_.evaluate(batch.graph, halo_, *workspace_, result_);
  assemble_prediction(potential_.info(), batch.graph, result_, prediction_);
  return evaluate_loss(loss_, counts, batch.labels, prediction_, derivative_);
}

LossTerms LossPass::add_gradient(const Batch& batch, const LossCounts& counts, std::span<double> gradient) {
  if (batch.graph.owned == 0) return {};
  const LossTerms terms = evaluate(batch, counts);
  tangent_.energy = derivative_.energy;
  if (potential_.info().forces == Forces::direct) {
    tangent_.direct_forces = derivative_.forces;
  } else {
    edge_tangent(batch.graph, derivative_.forces, derivative_.stress, tangent_.dr);
    tangent_.direct_forces = derivative_.direct_forces;
  }
  potential_.add_loss_gradient(batch.graph, tangent_, *workspace_, gradient);
  return terms;
}

LossTerms LossPass::measure(const Batch& batch, const LossCounts& counts, ErrorSums& errors) {
  if (batch.graph.owned == 0) return {};
  const LossTerms terms = evaluate(batch, counts);
  errors.add(batch.labels, prediction_);
  return terms;
}

}  // namespace isotrope
