// SPDX-License-Identifier: MIT
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/census.hpp"
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
  std::string output;  ///< .h5, or .xyz and .extxyz for extended xyz
  std::string format;  ///< name, or empty: by extension
  ReadOptions read;
  bool skip_bad = false;  ///< pass over entries that are not fit, and log them; otherwise the first ends the conversion
  std::optional<SplitRule> split;
  std::int64_t entries_per_part = 0;  ///< 0: what the format says
  nlohmann::json provenance;          ///< program, level of theory
};

/// What the root knows at the end.
struct ConversionOutcome {
  Census census;
  std::int64_t duplicates = 0;  ///< structures with the elements and positions of an earlier one
  std::int64_t rejected = 0;
  std::string rejected_log;  ///< path, where there are any
};

/// Throws on the rank that fails; others wait for it, so with several ranks end them all (Communicator::abort).
ConversionOutcome convert(const ConversionRequest& request, const Communicator& communicator);

}  // namespace isotrope
