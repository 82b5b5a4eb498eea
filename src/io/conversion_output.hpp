// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "io/conversion.hpp"
#include "io/extxyz.hpp"
#include "io/shards.hpp"

namespace isotrope::conversion {

/// Where structures go: a data set, a list of them for a request whose output ends in .shards, or extended xyz for one
/// that ends in .xyz or .extxyz.
class Output {
 public:
  static bool is_one_dataset(const std::string& path);
  static void check(const ConversionRequest& request);
  /// `path`: of the file to write, unless the output is a list: its files are made in `folder` and moved by commit().
  Output(const std::string& path, const ConversionRequest& request, const std::string& folder);
  void add(const Structure& structure);
  void commit(const nlohmann::json& provenance, const nlohmann::json& census);

 private:
  std::unique_ptr<DatasetWriter> dataset_;
  std::unique_ptr<ShardWriter> shards_;
  std::unique_ptr<ExtxyzWriter> extxyz_;
};

}  // namespace isotrope::conversion
