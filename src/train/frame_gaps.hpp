// SPDX-License-Identifier: MIT
#pragma once
#include <string>

#include "parallel/communicator.hpp"
#include "train/batches.hpp"

namespace isotrope {

/// How far the principal axes of the structures of a set are from degenerate: a histogram of the smaller of the two
/// gaps (geometry/frames.hpp), a line a bin. Every rank calls it.
std::string frame_gap_histogram(const SampleSet& set, double gap_switch, const LoaderOptions& options,
                                const Communicator& communicator);

}  // namespace isotrope
