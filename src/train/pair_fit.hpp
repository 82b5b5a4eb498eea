// SPDX-License-Identifier: MIT
#pragma once
#include "models/model_record.hpp"
#include "parallel/communicator.hpp"
#include "train/batches.hpp"

namespace isotrope {

struct PairFit {
  bool fitted = false;
  double force_rms_before = 0, force_rms_after = 0;  ///< of the labels, and of what the pair term leaves, eV/Å
};

/// A model with a pair term (`pair.weight`) starts from the pair potential that fits energies (less E0) and forces of
/// the structures best: ridge least squares over element pairs and radial basis functions. `scale` becomes the root
/// mean square of the forces that remain (at least 1e-6 of that of the labels), so the network starts with numbers of
/// order one. Nothing happens to a model without the term, or where no force differs from zero. The structures are
/// streamed twice; ranks share them.
PairFit fit_pair_energy(ModelRecord& record, const SampleSet& set, const LoaderOptions& options,
                        const Communicator& communicator);

}  // namespace isotrope
