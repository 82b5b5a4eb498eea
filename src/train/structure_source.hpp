// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/dataset.hpp"

namespace isotrope {

/// Which labels a structure has, as bits.
enum LabelBit : std::uint8_t { energy_bit = 1, forces_bit = 2, stress_bit = 4 };

/// What is known of a structure before it is read.
struct StructureTraits {
  int atoms = 0;
  int group = 0;   ///< index into names().groups
  int split = -1;  ///< index into names().splits; -1: the file has no split
  std::uint8_t labels = 0;
  bool isolated_atom = false;
};

/// Structures that were read and wait to be taken apart, by any thread.
class StructureBlock {
 public:
  virtual ~StructureBlock() = default;
  /// The `row`-th of those that were asked for, checked by check_structure().
  virtual Structure structure(int row) const = 0;
};

/// A file of structures as training sees it. Not for several threads at once; the blocks that it gives are.
class StructureSource {
 public:
  virtual ~StructureSource() = default;
  virtual const DatasetNames& names() const = 0;
  virtual const std::string& hash() const = 0;
  /// Throws where the content has not that hash. It reads the whole file.
  virtual void check_content() const = 0;
  /// Of every structure, in the order of the file.
  virtual std::vector<StructureTraits> traits() const = 0;
  /// The structures at these places of the file, which ascend. What lies between them is read and dropped.
  virtual std::shared_ptr<const StructureBlock> read(std::span<const std::uint32_t> places) const = 0;

  const std::string& name() const { return names().path; }
};

/// A data set on disk.
std::shared_ptr<const StructureSource> open_source(const std::string& path);

}  // namespace isotrope
