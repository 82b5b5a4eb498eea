// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <span>

#include "evaluate/metrics.hpp"
#include "models/potential.hpp"

namespace isotrope {

/// Energies (with E0), forces and stresses of a graph from what a potential computed.
void assemble_prediction(const PotentialInfo& info, const Graph& graph, const Result& result, Prediction& prediction);

/// A potential with what it needs to be asked about structures: species, neighbours, scratch. Not for several threads
/// at once.
class Predictor {
 public:
  explicit Predictor(const Potential& potential);

  /// Throws for an element that the model does not know. Valid until the next call.
  const Prediction& operator()(std::span<const Structure* const> structures);
  const Prediction& operator()(const Structure& structure);

  const Graph& graph() const { return graph_; }     ///< of the last call
  const Result& result() const { return result_; }  ///< of the last call
  const Potential& potential() const { return potential_; }
  const SpeciesMap& species() const { return species_; }

 private:
  const Potential& potential_;
  SpeciesMap species_;
  std::unique_ptr<Workspace> workspace_;
  NoHalo halo_;
  Graph graph_;
  Result result_;
  Prediction prediction_;
};

}  // namespace isotrope
