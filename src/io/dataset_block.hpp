// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "geometry/structure.hpp"

namespace isotrope {

/// What blocks of one data set share: where they come from, and the tables of names.
struct DatasetNames {
  std::string path;
  std::vector<std::string> config_types, groups, splits;  ///< splits empty: nothing was split
};

/// Consecutive structures of a data set as they lie in the file, not yet taken apart: Dataset::read_block fills it in.
/// Several threads may read it at once; it knows no HDF5.
struct DatasetBlock {
  std::shared_ptr<const DatasetNames> names;
  std::vector<std::int64_t> index;                            ///< [n] place of each structure in the file, ascending
  std::vector<std::int64_t> first_atom;                       ///< [n + 1] into the arrays of atoms
  std::vector<int> numbers;                                   ///< [atoms]
  std::vector<double> positions;                              ///< [atoms, 3]
  std::vector<double> forces;                                 ///< [atoms, 3]
  std::vector<double> energy, weight;                         ///< [n]
  std::vector<double> cell, stress;                           ///< [n, 3, 3]; stress empty: the data set has none
  std::vector<int> charge, multiplicity, config_type, group;  ///< [n]
  std::vector<int> step, split;                               ///< [n] or empty
  std::vector<std::uint8_t> has_energy, has_forces, has_stress, has_charge, has_multiplicity;  ///< [n]
  std::vector<std::uint8_t> periodic;                                                          ///< [n, 3]

  int size() const { return static_cast<int>(index.size()); }
  /// Row `row` as a structure, checked: NaN in positions or labels throws, naming the file and the structure's index.
  Structure structure(int row) const;
  /// Leaves only these rows, which ascend.
  void keep(std::span<const int> rows);
};

}  // namespace isotrope
