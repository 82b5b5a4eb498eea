// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "train/statistics.hpp"
#include "train/training_data.hpp"

namespace isotrope::test {

/// Structures in memory in place of a file; also such as no data set would take.
class MemorySource final : public StructureSource {
 public:
  MemorySource(const std::string& name, std::vector<Structure> structures)
      : structures_(std::make_shared<const std::vector<Structure>>(std::move(structures))), hash_("hash of " + name) {
    names_.path = name;
    for (const Structure& s : *structures_) {
      group_.push_back(index(names_.groups, s.group));
      config_type_.push_back(index(names_.config_types, s.config_type));
      split_.push_back(index(names_.splits, s.split));
    }
    if (names_.splits == std::vector<std::string>{""}) names_.splits.clear();
  }

  const DatasetNames& names() const override { return names_; }
  const std::string& hash() const override { return hash_; }
  void check_content() const override {}
  std::vector<StructureTraits> traits() const override {
    std::vector<StructureTraits> all;
    for (std::size_t i = 0; i < structures_->size(); ++i) {
      const Structure& s = (*structures_)[i];
      std::uint8_t labels = 0;
      if (s.energy) labels |= energy_bit;
      if (!s.forces.empty()) labels |= forces_bit;
      if (s.stress) labels |= stress_bit;
      all.push_back({s.size(), group_[i], split_[i], labels, is_isolated_atom(s)});
    }
    return all;
  }
  std::shared_ptr<const StructureBlock> read(std::span<const std::uint32_t> places) const override {
    if (on_read) on_read(places);
    auto block = std::make_shared<Block>();
    for (const std::uint32_t place : places) block->structures.push_back((*structures_)[place]);
    return block;
  }

  /// What a test wants to know of, or to break.
  std::function<void(std::span<const std::uint32_t>)> on_read;

 private:
  struct Block final : StructureBlock {
    Structure structure(int row) const override { return structures.at(row); }
    std::vector<Structure> structures;
  };
  static int index(std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<int>(found - names.begin());
    names.push_back(name);
    return static_cast<int>(names.size()) - 1;
  }

  std::shared_ptr<const std::vector<Structure>> structures_;
  DatasetNames names_;
  std::string hash_;
  std::vector<int> group_, config_type_, split_;
};

/// Files of a test by name.
using Files = std::map<std::string, std::vector<Structure>>;

inline OpenSource open_from(Files files) {
  return [files = std::move(files)](const std::string& path) -> std::shared_ptr<const StructureSource> {
    return std::make_shared<MemorySource>(path, files.at(path));
  };
}

inline const Communicator& alone() {
  static const Communicator one;
  return one;
}

/// A training set of one file, its edges counted.
inline SampleSet set_of(std::vector<Structure> structures, double cutoff) {
  LossConfig no_labels;
  no_labels.energy = no_labels.forces = 0;
  DataConfig config;
  config.train = {{"train.h5", ""}};
  config.train_on_isolated_atoms = true;
  SampleSet set = find_training_data(config, no_labels, open_from({{"train.h5", std::move(structures)}})).train;
  scan(set, cutoff, {}, alone());
  return set;
}

}  // namespace isotrope::test
