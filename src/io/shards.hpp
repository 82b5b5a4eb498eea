// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/census.hpp"
#include "io/dataset.hpp"
#include "io/reader.hpp"

/// A data set in several files: a list (.shards, JSON, docs/dataset-format.md) of ordinary data sets beside it, in
/// their order. They can be moved together; each can be used by itself.
namespace isotrope {

struct ShardList {
  std::vector<std::string> files;  ///< paths, from where the program runs
  DatasetSummary summary;          ///< of the whole
};

bool is_shard_list(const std::string& path);  ///< by its name

/// Throws: not a list of shards, a shard that is missing or is not the data set that was listed.
ShardList read_shards(const std::string& path);

/// The files of a data set: those of a list, else the path itself.
std::vector<std::string> shard_files(const std::string& path);

std::unique_ptr<StructureReader> open_shards(const std::string& path, const ReadOptions& options);

/// Writes LIST.shards and beside it LIST-00000.h5, LIST-00001.h5, ...
class ShardWriter {
 public:
  /// `structures`: in a file. Until commit() the files are in `folder`. `provenance`: of each file.
  ShardWriter(std::string list, std::string folder, std::int64_t structures, nlohmann::json provenance);
  void add(const Structure& structure);
  /// Moves the files to their names, and writes the list after them. Both are of the whole.
  void commit(const nlohmann::json& provenance, const nlohmann::json& census);

 private:
  std::string temporary(int file) const;
  void finish_file();

  std::string list_, folder_;
  std::int64_t per_file_;
  nlohmann::json provenance_;
  std::unique_ptr<DatasetWriter> writer_;
  std::unique_ptr<Census> census_;
  int files_ = 0;
};

}  // namespace isotrope
