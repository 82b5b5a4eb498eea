// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/optimiser.hpp"
#include "train/schedule.hpp"

namespace isotrope {

/// All that a run continues from: with it the rest is the same bit for bit (one rank, no cosine over seconds). There is
/// no state of a random generator, since the order of structures is a function of seed and epoch.
struct TrainingState {
  std::vector<double> parameters;
  Adam::State optimiser;
  MovingAverage::State average;
  Schedule::State schedule;
  std::int64_t epoch = 0;  ///< epochs completed
  std::int64_t batch = 0;  ///< batches done of the present one
  std::int64_t step = 0;
  double seconds = 0;
  double loss_sum = 0;  ///< of the steps since the last validation, for the log
  std::int64_t loss_steps = 0;

  struct Best {
    double loss = std::numeric_limits<double>::infinity();
    std::int64_t step = 0;
    std::vector<double> parameters;  ///< the averaged ones; empty: none yet
  } best;
};

/// What a checkpoint belongs to: identity_json of the configuration and the hashes of the data.
struct RunIdentity {
  nlohmann::ordered_json config, data;
};

/// An HDF5 file, written to a temporary and renamed.
void write_checkpoint(const std::string& path, const RunIdentity& identity, const TrainingState& state);
/// Throws where the file is missing, of another format, of another configuration or data (naming the first difference),
/// or of another number of parameters.
TrainingState read_checkpoint(const std::string& path, const RunIdentity& identity, std::size_t parameters);

}  // namespace isotrope
