// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "geometry/structure.hpp"
#include "io/dataset.hpp"

namespace isotrope {

/// What is in a set of structures, counted as they stream by: printed after `convert` and by `info`.
class Census {
 public:
  void add(const Structure& structure);
  /// Lines for a reader.
  std::vector<std::string> lines() const;
  /// For scripts: structures, atoms, elements (symbols), labels, and more (docs/json-output.md).
  nlohmann::json json() const;

  const LabelCounts& labels() const { return labels_; }

 private:
  struct Range {
    double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
    void add(double value);
    nlohmann::json json() const;
  };

  std::int64_t structures_ = 0, atoms_ = 0, isolated_atoms_ = 0, periodic_ = 0;
  int smallest_ = std::numeric_limits<int>::max(), largest_ = 0;
  LabelCounts labels_;
  std::map<int, std::int64_t> elements_;                         ///< atoms of each
  std::map<std::pair<int, int>, std::int64_t> charge_and_spin_;  ///< structures; multiplicity 0: not labelled
  std::map<std::string, std::int64_t> config_types_, groups_, splits_;
  Range energy_;  ///< eV
  Range force_;   ///< |F|, eV/Å
  double force_squares_ = 0;
  std::int64_t force_atoms_ = 0;
};

}  // namespace isotrope
