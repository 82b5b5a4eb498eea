// SPDX-License-Identifier: MIT
#include "io/omol25.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/inflate.hpp"
#include "io/lmdb.hpp"
#include "io/structure_checks.hpp"

namespace isotrope {
namespace omol25 {
namespace {

/// The JSON value under one of the keys that are no rows; null where it is absent.
nlohmann::json reserved(const lmdb::File& file, Inflater& inflate, const char* key) {
  const std::optional<std::string_view> found = file.get(key);
  if (!found) return nullptr;
  try {
    const auto json = nlohmann::json::parse(inflate(*found, Inflater::Wrapper::zlib), nullptr, false);
    require(!json.is_discarded(), "not JSON");
    return json;
  } catch (const Error& error) {
    fail("{}: key {}: {}", file.path(), key, error.what());
  }
}

/// Ids of the rows: 1 to nextid - 1 without the deleted ones.
std::vector<std::int64_t> row_ids(const lmdb::File& file, Inflater& inflate) {
  const auto next = reserved(file, inflate, "nextid"), deleted = reserved(file, inflate, "deleted_ids");
  require(next.is_number_integer() && next.get<std::int64_t>() >= 1,
          "{}: key nextid: expected the number of the next row; is this a data base of ASE?", file.path());
  require(deleted.is_null() || deleted.is_array(), "{}: key deleted_ids: expected a list", file.path());
  std::vector<std::int64_t> gone;
  for (const auto& id : deleted) {
    require(id.is_number_integer(), "{}: key deleted_ids: expected whole numbers", file.path());
    gone.push_back(id.get<std::int64_t>());
  }
  std::sort(gone.begin(), gone.end());
  gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
  const std::int64_t last = next.get<std::int64_t>() - 1;
  const auto inside = std::upper_bound(gone.begin(), gone.end(), last) - std::lower_bound(gone.begin(), gone.end(), 1);
  require(last - inside <= file.entries(),
          "{}: expected {} rows (keys nextid, deleted_ids), the file has {} entries: incomplete copy?", file.path(),
          last - inside, file.entries());
  std::vector<std::int64_t> ids;
  for (std::int64_t id = 1; id <= last; ++id) {
    if (!std::binary_search(gone.begin(), gone.end(), id)) ids.push_back(id);
  }
  return ids;
}

class Reader : public StructureReader {
 public:
  Reader(const std::string& path, const ReadOptions& options)
      : options_(options), file_(lmdb::File::open(path)), decode_(options), ids_(row_ids(file_, inflate_)) {
    const auto all = static_cast<std::int64_t>(ids_.size());
    place_ = first_ = std::min(options.entries.begin, all);
    last_ = std::min(options.entries.end, all);
  }

  bool next(Structure& structure) override {
    if (place_ >= last_) return false;
    const std::int64_t id = ids_[place_++];
    const std::string key = std::to_string(id);
    try {
      const std::optional<std::string_view> row = file_.get(key);
      require(row.has_value(), "missing, though not among the deleted ones");
      decode_(inflate_(*row, Inflater::Wrapper::zlib), id, structure);
      check_structure(structure);
    } catch (const Error& error) {
      throw EntryError("key " + key, fmt::format("{}: key {}: {}", file_.path(), key, error.what()));
    }
    return true;
  }
  double progress() const override {
    return last_ > first_ ? static_cast<double>(place_ - first_) / static_cast<double>(last_ - first_) : 1;
  }

  std::vector<Finding> report() const override {
    const Counts& c = decode_.counts();
    const std::string charge = options_.charge_key.value_or("charge"),
                      spin = options_.multiplicity_key.value_or("spin");
    std::vector<Finding> findings = {{"energy from 'energy'", c.energy, c.rows},
                                     {"forces from 'forces', before constraints", c.forces, c.rows},
                                     {fmt::format("charge from '{}' of data", charge), c.charge, c.rows},
                                     {fmt::format("multiplicity from '{}' of data", spin), c.multiplicity, c.rows}};
    if (options_.charge) findings.push_back({"charge from --charge", c.charge_filled, c.rows});
    if (options_.multiplicity) findings.push_back({"multiplicity from --multiplicity", c.multiplicity_filled, c.rows});
    findings.push_back({"stress from 'stress'", c.stress, c.rows, "structures", true});
    findings.push_back({"constraints, not applied,", c.constraints, c.rows, "structures", true});
    return findings;
  }

 private:
  ReadOptions options_;
  lmdb::File file_;
  Inflater inflate_;
  RowDecoder decode_;
  std::vector<std::int64_t> ids_;
  std::int64_t first_ = 0, last_ = 0, place_ = 0;
};

}  // namespace
}  // namespace omol25

std::unique_ptr<StructureReader> open_omol25(const std::string& path, const ReadOptions& options) {
  refuse_keys(options, path, "rows of ASE have energy, forces and stress in fixed places", true);
  return std::make_unique<omol25::Reader>(path, options);
}

std::int64_t count_omol25(const std::string& path) {
  const lmdb::File file = lmdb::File::open(path);
  Inflater inflate;
  return static_cast<std::int64_t>(omol25::row_ids(file, inflate).size());
}

}  // namespace isotrope
