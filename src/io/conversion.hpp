// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/reader.hpp"
#include "io/split.hpp"
#include "parallel/communicator.hpp"

/// DFT data to a data set. The inputs are cut into parts (a file, or a range of its entries); each rank converts its
/// share of the parts into files of their own, in the folder OUTPUT.parts; then the root joins them in the order of the
/// inputs. What was finished there survives whatever ends the run, and the same conversion started again goes on from
/// it.
namespace isotrope {

struct ConversionRequest {
  std::vector<std::string> inputs;
  std::string output;  ///< .h5, .shards for a data set in several files, .xyz or .extxyz for extended xyz
  std::string format;  ///< name, or empty: by extension
  ReadOptions read;
  bool skip_bad = false;  ///< pass over entries that are not fit, and log them; otherwise the first ends the conversion
  std::optional<SplitRule> split{};
  std::int64_t entries_per_part = 0;      ///< 0: what the format says
  std::int64_t structures_per_shard = 0;  ///< 0: a million
  nlohmann::json provenance;              ///< program, level of theory
};

/// What the root knows at the end.
struct ConversionOutcome {
  nlohmann::json census;  ///< of Census::json(), and what was rejected
};

/// Throws on the rank that fails; others wait for it, so with several ranks end them all (Communicator::abort).
ConversionOutcome convert(const ConversionRequest& request, const Communicator& communicator);

}  // namespace isotrope
