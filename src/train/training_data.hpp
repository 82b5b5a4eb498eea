// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "geometry/structure.hpp"
#include "train/config.hpp"
#include "train/loss.hpp"

namespace isotrope {

/// A structure of a named file; messages say "FILE: structure 12".
struct Sample {
  Structure structure;
  std::string file;
  int index = 0;      ///< in the file, from 0
  double weight = 1;  ///< of the structure times that of its config_type
  std::string where() const;
};

/// The structures of one file, as they were read.
struct SourceFile {
  std::string name;
  std::string hash;
  std::vector<Structure> structures;
};

struct TrainingData {
  std::vector<Sample> train, validation;
  std::vector<Sample> isolated;    ///< single atoms that the training files hold; not in `train` unless asked
  std::vector<Sample> references;  ///< those of data.isolated_atoms
  nlohmann::ordered_json hashes;   ///< file -> content hash, in the order of the configuration
};

/// Reads the files, takes isolated atoms out, splits, and checks every label that the loss needs. Throws for an empty
/// set, for NaN, for labels that are missing without data.allow_missing, for a stress of a structure that is not
/// periodic in three directions.
TrainingData load_training_data(const DataConfig& data, const LossConfig& loss);
/// The same from structures in memory.
TrainingData make_training_data(const DataConfig& data, const LossConfig& loss, std::vector<SourceFile> train,
                                std::vector<SourceFile> validation, std::vector<SourceFile> references);

/// An atom alone, without periodic images.
bool is_isolated_atom(const Structure& structure);

/// The labels of a few samples, one after the other.
Labels collect_labels(const std::vector<const Sample*>& samples);
LossCounts loss_counts(const Sample& sample);

}  // namespace isotrope
