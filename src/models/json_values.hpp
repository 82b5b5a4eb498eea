// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <vector>

#include "models/strict_json.hpp"

/// Values that hyperparameters of several architectures have.
namespace isotrope {

/// A number, or one per element.
inline std::vector<double> per_species(const StrictJson& json, const char* key, int species) {
  const nlohmann::json& value = json.at(key);
  if (value.is_number()) return std::vector<double>(species, value.get<double>());
  require(value.is_array() && static_cast<int>(value.size()) == species,
          "{}: '{}' must be a number or a list of {} numbers, one per element, found {}", json.where(), key, species,
          value.dump());
  return value.get<std::vector<double>>();
}

/// Widths of the hidden layers of a network.
inline std::vector<int> layer_widths(const StrictJson& json, const char* key) {
  const nlohmann::json& value = json.at(key);
  const auto good = [](const nlohmann::json& width) { return width.is_number_integer() && width > 0 && width <= 4096; };
  require(value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), good),
          "{}: '{}' must be a list of at least one whole number from 1 to 4096, found {}", json.where(), key,
          value.dump());
  return value.get<std::vector<int>>();
}

}  // namespace isotrope
