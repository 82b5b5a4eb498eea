// SPDX-License-Identifier: MIT
#include "io/conversion_output.hpp"

#include <filesystem>

#include "core/error.hpp"

namespace isotrope::conversion {

namespace {

constexpr std::int64_t usual_shard = 1'000'000;

enum class Kind { dataset, shards, extxyz, unknown };

Kind kind_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".h5" || extension == ".hdf5") return Kind::dataset;
  if (extension == ".shards") return Kind::shards;
  return extension == ".xyz" || extension == ".extxyz" ? Kind::extxyz : Kind::unknown;
}

}  // namespace

bool Output::is_one_dataset(const std::string& path) {
  return kind_of(path) == Kind::dataset;
}

void Output::check(const ConversionRequest& request) {
  const Kind kind = kind_of(request.output);
  require(kind != Kind::unknown,
          "{}: expected an output that ends in .h5 (a data set), .shards (in several files) or .xyz (extended xyz)",
          request.output);
  require(request.structures_per_shard == 0 || kind == Kind::shards, "{}: --shard needs an output that ends in .shards",
          request.output);
  AtomicFile writable(request.output);
}

Output::Output(const std::string& path, const ConversionRequest& request, const std::string& folder) {
  const std::int64_t shard = request.structures_per_shard > 0 ? request.structures_per_shard : usual_shard;
  switch (kind_of(request.output)) {
    case Kind::shards:
      shards_ = std::make_unique<ShardWriter>(request.output, folder, shard, request.provenance);
      break;
    case Kind::extxyz:
      extxyz_ = std::make_unique<ExtxyzWriter>(path);
      break;
    default:
      dataset_ = std::make_unique<DatasetWriter>(path);
  }
}

void Output::add(const Structure& structure) {
  if (dataset_)
    dataset_->add(structure);
  else if (shards_)
    shards_->add(structure);
  else
    extxyz_->add(structure);
}

void Output::commit(const nlohmann::json& provenance, const nlohmann::json& census) {
  if (dataset_)
    dataset_->commit(provenance, true, census);
  else if (shards_)
    shards_->commit(provenance, census);
  else
    extxyz_->commit();
}

}  // namespace isotrope::conversion
