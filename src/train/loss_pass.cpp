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

LossPass::LossPass(const Potential& potential, const LossConfig& loss, const EquivarianceConfig& equivariance,
                   const Parameters& names)
    : LossPass(potential, loss) {
  equivariance_ = equivariance;
  if (equivariance.latent_weight > 0) latent_.emplace(equivariance, names);
}

LossTerms LossPass::evaluate(const Batch& batch, const LossCounts& counts) {
  potential_.evaluate(batch.graph, halo_, *workspace_, result_);
  assemble_prediction(potential_.info(), batch.graph, result_, prediction_);
  return evaluate_loss(loss_, counts, batch.labels, prediction_, derivative_);
}

LossTerms LossPass::add_gradient(const Batch& batch, const LossCounts& counts, std::span<double> gradient) {
  if (batch.graph.owned == 0) return {};
  const LossTerms terms = evaluate(batch, counts);
  set_tangent(batch.graph);
  potential_.add_loss_gradient(batch.graph, tangent_, *workspace_, gradient);
  return terms;
}

LossTerms LossPass::add_gradient(const Views& views, const LossCounts& counts, std::span<const double> parameters,
                                 std::span<double> gradient) {
  if (views.rotations.empty()) return add_gradient(views.batch, counts, gradient);
  LossCounts of_both = counts;
  if (equivariance_.loss_on_both_views) of_both += counts;
  result_.want_latent = true;
  LossTerms terms = evaluate(views.batch, of_both);
  set_tangent(views.batch.graph);
  terms.latent = add_latent(views, counts, parameters, gradient);
  potential_.add_loss_gradient(views.batch.graph, tangent_, *workspace_, gradient);
  return terms;
}

double LossPass::add_latent(const Views& views, const LossCounts& counts, std::span<const double> parameters,
                            std::span<double> gradient) {
  const double count = latent_->count(counts.structures, counts.atoms);
  return latent_->add_gradient(views, count, result_.latent, parameters, gradient, tangent_.latent);
}

/// The loss by the outputs that the model has. What is empty is not in the loss.
void LossPass::set_tangent(const Graph& graph) {
  const PotentialInfo& info = potential_.info();
  tangent_.energy = derivative_.energy;
  tangent_.dr.clear();
  tangent_.position.clear();
  tangent_.direct_forces.clear();
  tangent_.latent.clear();
  if (info.forces == Forces::direct) {
    tangent_.direct_forces = derivative_.forces;
  } else if (info.cutoff > 0) {
    edge_tangent(graph, derivative_.forces, derivative_.stress, tangent_.dr);
    tangent_.direct_forces = derivative_.direct_forces;
  } else if (loss_.forces > 0) {
    tangent_.position = derivative_.forces;
    for (Vec3& v : tangent_.position) v = -1.0 * v;
  }
}

LossTerms LossPass::measure(const Batch& batch, const LossCounts& counts, ErrorSums& errors) {
  if (batch.graph.owned == 0) return {};
  const LossTerms terms = evaluate(batch, counts);
  errors.add(batch.labels, prediction_);
  return terms;
}

}  // namespace isotrope
