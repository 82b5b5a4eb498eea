// SPDX-License-Identifier: MIT
#include "evaluate/prediction.hpp"

#include "geometry/forces.hpp"

namespace isotrope {

void assemble_prediction(const PotentialInfo& info, const Graph& graph, const Result& result, Prediction& prediction) {
  prediction.energy.assign(graph.graphs, 0.0);
  for (int i = 0; i < graph.owned; ++i)
    prediction.energy[graph.graph[i]] += info.atomic_energies[graph.species[i]] + result.atom_energy[i];
  prediction.direct_forces.clear();
  if (info.forces == Forces::direct) {
    prediction.forces = result.direct_forces;
    prediction.stress.clear();
    return;
  }
  assemble_forces(graph, result.dE_dr, prediction.forces);
  assemble_stress(graph, result.dE_dr, prediction.stress);
  if (info.direct_forces) prediction.direct_forces = result.direct_forces;
}

Predictor::Predictor(const Potential& potential)
    : potential_(potential), species_(potential.info().elements), workspace_(potential.make_workspace()) {}

const Prediction& Predictor::operator()(std::span<const Structure* const> structures) {
  graph_ = make_graph(structures, species_, potential_.info().cutoff);
  potential_.evaluate(graph_, halo_, *workspace_, result_);
  assemble_prediction(potential_.info(), graph_, result_, prediction_);
  return prediction_;
}

const Prediction& Predictor::operator()(const Structure& structure) {
  const Structure* const one[] = {&structure};
  return (*this)(one);
}

}  // namespace isotrope
