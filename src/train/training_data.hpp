// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/config.hpp"
#include "train/sample_set.hpp"

namespace isotrope {

struct TrainingData {
  SampleSet train, validation;
  std::vector<Sample> isolated;    ///< single atoms that the training files hold; not in `train` unless asked
  std::vector<Sample> references;  ///< those of data.isolated_atoms
  nlohmann::ordered_json hashes;   ///< file -> content hash, in the order of the configuration
};

/// How a named file is opened: data sets, or what a test holds in memory.
using OpenSource = std::function<std::shared_ptr<const StructureSource>(const std::string& path)>;

/// Finds the structures of the files, or of one set of their split, without reading them: takes isolated atoms out,
/// splits, and asks for every label that the loss needs. Throws for an empty set, for a set that the file does not
/// have, for labels that are missing without data.allow_missing.
TrainingData find_training_data(const DataConfig& data, const LossConfig& loss, const OpenSource& open = open_source);

/// Compares every file with its hash, which reads it once; the ranks share the files.
void check_contents(const TrainingData& data, int rank, int ranks);

}  // namespace isotrope
