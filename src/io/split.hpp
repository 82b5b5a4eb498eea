// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace isotrope {

/// How a data set is divided into train, validation and test.
struct SplitRule {
  /// structure: each by itself. group: groups (trajectories) stay whole. pubchemqcr: groups, in the order of the files,
  /// shuffled as Python's random.shuffle does: with seed 42, whole trajectories of one stage and the files in the order
  /// of their names it is the split of the PubChemQCR benchmark (Source: initialize_datasets of OpenMol/TDN). file:
  /// said by a file of ids.
  enum class Kind { structure, group, pubchemqcr, file };
  Kind kind = Kind::structure;
  std::vector<double> ratios;  ///< of train, validation, test; add to 1. Sizes: int(ratio n), the rest is the test set
  std::uint64_t seed = 42;
  std::string file;  ///< JSON object: set -> list of groups (text) or places in the data set (numbers)
};

/// What is divided: structures in their order, their groups as indices of names.
struct SplitInput {
  std::vector<int> group;  ///< [structures]
  std::vector<std::string> group_names;
};

struct Split {
  std::vector<std::string> names;  ///< of the sets
  std::vector<std::int8_t> set;    ///< [structures]: index of a name; -1: in none
  nlohmann::json record;           ///< rule and sizes, for the provenance
};

/// Throws: ratios that are missing or do not add to 1, a file that cannot be read.
void check_rule(const SplitRule& rule);

/// Throws: what check_rule() throws, an empty set of a ratio above 0, a structure without group where groups are
/// divided, ids that are unknown or in two sets.
Split make_split(const SplitRule& rule, const SplitInput& input);

}  // namespace isotrope
