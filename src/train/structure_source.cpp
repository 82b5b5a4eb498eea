// SPDX-License-Identifier: MIT
#include "train/structure_source.hpp"

#include "core/error.hpp"

namespace isotrope {
namespace {

class RawBlock final : public StructureBlock {
 public:
  explicit RawBlock(DatasetBlock block) : block_(std::move(block)) {}
  Structure structure(int row) const override { return block_.structure(row); }

 private:
  DatasetBlock block_;
};

class DatasetSource final : public StructureSource {
 public:
  explicit DatasetSource(const std::string& path) : dataset_(Dataset::open(path)) {}

  const DatasetNames& names() const override { return dataset_.names(); }
  const std::string& hash() const override { return dataset_.content_hash(); }
  void check_content() const override { dataset_.check_content(); }

  std::vector<StructureTraits> traits() const override {
    std::vector<StructureTraits> traits(dataset_.size());
    const auto& offsets = dataset_.offsets();
    const std::vector<int> groups = dataset_.groups();
    for (std::size_t i = 0; i < traits.size(); ++i) {
      traits[i].atoms = static_cast<int>(offsets[i + 1] - offsets[i]);
      traits[i].group = groups[i];
    }
    if (dataset_.has_split()) {
      const std::vector<int> splits = dataset_.splits();
      for (std::size_t i = 0; i < traits.size(); ++i) traits[i].split = splits[i];
    }
    const auto add_label = [&](const char* mask, LabelBit bit) {
      const std::vector<std::uint8_t> flags = dataset_.mask(mask);
      for (std::size_t i = 0; i < traits.size(); ++i)
        if (flags[i]) traits[i].labels |= bit;
    };
    add_label("has_energy", energy_bit);
    add_label("has_forces", forces_bit);
    add_label("has_stress", stress_bit);
    const std::vector<std::uint8_t> periodic = dataset_.periodic();
    for (std::size_t i = 0; i < traits.size(); ++i)
      traits[i].isolated_atom =
          traits[i].atoms == 1 && !periodic[3 * i] && !periodic[3 * i + 1] && !periodic[3 * i + 2];
    return traits;
  }

  std::shared_ptr<const StructureBlock> read(std::span<const std::uint32_t> places) const override {
    const std::int64_t begin = places.front(), count = places.back() - begin + 1;
    try {
      DatasetBlock block = dataset_.read_block(begin, count);
      if (static_cast<std::int64_t>(places.size()) < count) {
        std::vector<int> rows;
        for (const std::uint32_t place : places) rows.push_back(static_cast<int>(place - begin));
        block.keep(rows);
      }
      return std::make_shared<RawBlock>(std::move(block));
    } catch (const Error& error) {
      fail("{}; it was to give structures {} to {}", error.what(), begin, places.back());
    }
  }

 private:
  Dataset dataset_;
};

}  // namespace

std::shared_ptr<const StructureSource> open_source(const std::string& path) {
  return std::make_shared<DatasetSource>(path);
}

}  // namespace isotrope
