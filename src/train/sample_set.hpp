// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "geometry/structure.hpp"
#include "train/config.hpp"
#include "train/loss.hpp"
#include "train/structure_source.hpp"

namespace isotrope {

/// A structure of a named file; messages say "FILE: structure 12".
struct Sample {
  Structure structure;
  std::string file;
  std::int64_t index = 0;  ///< in the file, from 0
  double weight = 1;       ///< of the structure times that of its config_type
  std::string where() const;
};

/// Throws what check_structure() does not know: a stress where it has no meaning, a force missing, NaN.
void check_sample(const Sample& sample);

/// What is kept of a structure while it is not in memory.
struct SampleEntry {
  std::uint32_t place = 0;   ///< in its file
  std::uint16_t source = 0;  ///< of the set
  std::uint8_t labels = 0;   ///< LabelBit
  int atoms = 0;
  int edges = 0;  ///< within the cutoff of the model; 0 until scan() has counted them
};
static_assert(sizeof(SampleEntry) == 16);

/// The structures of a training or validation set, where they are and how large: 16 bytes each. Structures themselves
/// stay in their files until they are asked for.
struct SampleSet {
  std::vector<std::shared_ptr<const StructureSource>> sources;
  std::vector<SampleEntry> entries;       ///< file by file, ascending places in each
  std::map<std::string, double> weights;  ///< factor of a config_type

  int size() const { return static_cast<int>(entries.size()); }
  bool empty() const { return entries.empty(); }
  std::string where(int i) const;  ///< "FILE: structure 12"
  LossCounts counts(int i) const;
  /// Samples of one file, ascending.
  std::shared_ptr<const StructureBlock> read(std::span<const int> samples) const;
  /// Sample `i`, which is row `row` of a block; checked. Any thread may call it.
  Sample sample(int i, const StructureBlock& block, int row) const;
  Sample read_one(int i) const;
};

}  // namespace isotrope
