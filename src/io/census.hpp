// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "geometry/structure.hpp"
#include "io/dataset.hpp"

namespace isotrope {

/// What is in a set of structures, counted as they stream by: printed after `convert`, kept in data sets and printed by
/// `info`. Memory: 8 bytes a structure (for the duplicates), and the names of the groups.
class Census {
 public:
  void add(const Structure& structure);
  std::int64_t structures() const { return structures_; }
  /// For scripts and for the attribute `census` of data sets: docs/json-output.md. Its size does not grow with the set:
  /// of config types, groups and sets of a split the largest are named.
  nlohmann::json json() const;
  /// Lines for a reader.
  std::vector<std::string> lines() const;

  const LabelCounts& labels() const { return labels_; }
  std::int64_t duplicates() const;  ///< structures with the elements and positions of an earlier one, bit for bit

 private:
  using Counts = std::unordered_map<std::string, std::int64_t>;
  struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    void add(double value);
    nlohmann::json json() const;
  };
  /// Structures with an odd distance.
  struct Odd {
    std::int64_t count = 0, first = -1;
    void add(bool odd, std::int64_t structure);
    nlohmann::json json(const char* limit, double angstrom) const;
  };

  void add_labels(const Structure& structure);
  void add_geometry(const Structure& structure);

  std::int64_t structures_ = 0, atoms_ = 0, isolated_atoms_ = 0, periodic_ = 0;
  int smallest_ = std::numeric_limits<int>::max(), largest_ = 0;
  LabelCounts labels_;
  std::map<int, std::int64_t> elements_;                         ///< atoms of each
  std::map<std::pair<int, int>, std::int64_t> charge_and_spin_;  ///< structures; multiplicity 0: not labelled
  Counts config_types_, groups_, splits_;
  Range energy_;   ///< eV
  Range force_;    ///< |F|, eV/Å
  Range closest_;  ///< Å, closest pairs of structures
  double force_squares_ = 0;
  std::int64_t force_atoms_ = 0;
  Odd close_, apart_;
  mutable std::vector<std::uint64_t> hashes_;  ///< of elements and positions; duplicates() sorts them
};

/// Lines for a reader, from Census::json() or from what a data set has kept of it.
std::vector<std::string> census_lines(const nlohmann::json& census);

/// Throws where a census that a file states does not agree with one that was counted: "FILE: the census states ...".
/// Numbers that are no integers may differ by rounding.
void check_census(const nlohmann::json& stated, const nlohmann::json& counted, const std::string& file);

}  // namespace isotrope
