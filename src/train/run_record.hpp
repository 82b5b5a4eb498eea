// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/config.hpp"
#include "train/loss.hpp"
#include "train/statistics.hpp"
#include "train/training_data.hpp"

namespace isotrope {

/// Errors on one set of structures.
struct SetErrors {
  std::string set;
  int structures = 0;
  ErrorSums sums;
};

struct RunSummary {
  std::string command;
  int ranks = 1;
  std::int64_t epochs = 0, steps = 0, kept_step = 0;
  double seconds = 0;
  std::vector<SetErrors> errors;
};

/// Of the model file: configuration, hashes of the data, command, errors, time, program version.
nlohmann::json training_record(const TrainConfig& config, const TrainingData& data, const RunSummary& summary);
/// MAE and RMSE of energies and forces, a line a set.
std::string error_table(const RunSummary& summary);
/// What is known before the first step: labels, how structures are loaded, atomic reference energies, size of the
/// model.
std::string setup_report(const TrainingData& data, const SetStatistics& train, const SetStatistics& validation,
                         const AtomicEnergies& e0, const ModelRecord& record, const LoaderOptions& loading);

}  // namespace isotrope
