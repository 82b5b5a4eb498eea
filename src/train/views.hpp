// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "train/batches.hpp"
#include "train/equivariance_config.hpp"

/// Rotated views of a batch, for training models that are not equivariant by construction (docs/training.md).
namespace isotrope {

/// A batch turned: positions, edges, and the labels that are vectors and matrices.
void rotate_batch(Batch& batch, std::span<const Mat3> rotations);

/// A rotation for each structure of the batch, uniform on SO(3), or one for all of them. It depends on seed, step, view
/// and the positions of the structure alone, so that it is the same on any number of ranks and in a resumed run.
std::vector<Mat3> random_rotations(const Batch& batch, const EquivarianceConfig& config, std::uint64_t seed,
                                   std::int64_t step, int view);

/// What a step trains on: the structures, turned at random where the augmentation asks for it, and behind them, where a
/// latent loss is asked for, the same structures turned once more.
struct Views {
  Batch batch;
  std::vector<Mat3> rotations;  ///< [structures] from the first to the second view; empty: there is one view
};
Views make_views(Batch batch, const EquivarianceConfig& config, std::uint64_t seed, std::int64_t step);

}  // namespace isotrope
