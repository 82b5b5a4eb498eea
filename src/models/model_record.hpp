// SPDX-License-Identifier: MIT
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/parameters.hpp"

namespace isotrope {

/// A constant that belongs to a model but is not trained (coupling tables, frequencies). Integers are stored as
/// doubles.
struct Table {
  std::vector<int> shape;
  std::vector<double> values;
};

/// Everything a model file holds (docs/model-format.md): enough to rebuild the potential, and where it came from.
struct ModelRecord {
  std::string architecture;             ///< key of the registry, e.g. "mace"
  nlohmann::json hyperparameters;       ///< the architecture's own, e.g. hidden irreps
  std::vector<int> elements;            ///< atomic numbers, in species order
  std::vector<double> atomic_energies;  ///< [elements] energy of an isolated atom, E0, eV
  double cutoff = 0;                    ///< Å
  Parameters parameters;
  std::map<std::string, Table> tables;
  nlohmann::json training;  ///< how it was made: data, hashes, command, errors; free form
};

}  // namespace isotrope
