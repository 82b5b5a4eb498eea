// SPDX-License-Identifier: MIT
#include "io/dataset.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "io/dataset_members.hpp"

namespace isotrope {

namespace {

using hdf5::any;

constexpr std::int64_t block_of_structures = 4096;

struct Member {
  const char* name;
  hdf5::Shape row;
};
const std::vector<Member> structure_members = {{"energy", {}},     {"charge", {}},           {"multiplicity", {}},
                                               {"has_energy", {}}, {"has_forces", {}},       {"has_stress", {}},
                                               {"has_charge", {}}, {"has_multiplicity", {}}, {"cell", {3, 3}},
                                               {"periodic", {3}},  {"config_type", {}},      {"group", {}},
                                               {"weight", {}}};
const std::vector<Member> atom_members = {{"numbers", {}}, {"positions", {3}}, {"forces", {3}}};

void check_format(const hdf5::File& file) {
  std::string found = file.has_attribute("format") ? file.string_attribute("format") : "";
  require(found == dataset::format_name, "{}: expected a data set (attribute format = '{}'), found format '{}'",
          file.file(), dataset::format_name, found);
  std::int64_t version = file.int_attribute("format_version");
  require(version <= dataset_format_version,
          "{}: data set format version {} is newer than {}, the newest that this isotrope reads: use a newer isotrope",
          file.file(), version, dataset_format_version);
  require(version >= 1, "{}: expected data set format version 1 or above, found {}", file.file(), version);
}

void check_rows(const hdf5::File& file, const std::vector<Member>& members, std::int64_t rows) {
  for (const Member& member : members) {
    hdf5::Shape expected = member.row;
    expected.insert(expected.begin(), rows);
    file.check_shape(member.name, expected);
  }
}

/// Adds a member to its hash in blocks of rows.
template <class T>
void hash_member(const hdf5::File& file, const std::string& name, ContentHash& hash) {
  hdf5::Shape shape = file.shape(name);
  for (std::int64_t begin = 0; begin < shape[0]; begin += block_of_structures) {
    std::int64_t count = std::min(block_of_structures, shape[0] - begin);
    std::vector<T> values = file.read_rows<T>(name, shape, begin, count);
    hash.add(std::span<const T>(values));
  }
}

}  // namespace

Dataset Dataset::open(const std::string& path) {
  Dataset dataset(hdf5::File::open(path));
  check_format(dataset.file_);
  dataset.read_header();
  dataset.check_members();
  return dataset;
}

void Dataset::read_header() {
  offsets_ = file_.read<std::int64_t>("offsets", {any});
  require(offsets_.size() >= 2, "{}: the data set has no structures", path());
  require(offsets_.front() == 0 && std::is_sorted(offsets_.begin(), offsets_.end()),
          "{}: expected offsets that ascend from 0", file_.where("offsets"));
  DatasetNames names{path(), file_.read_strings("config_type_names"), file_.read_strings("group_names"), {}};
  if (file_.has("split")) names.splits = file_.read_strings("split_names");
  names_ = std::make_shared<const DatasetNames>(std::move(names));
  has_stress_ = file_.has("stress");
  has_step_ = file_.has("step");
  provenance_ = nlohmann::json::parse(file_.string_attribute("provenance"), nullptr, false);
  require(provenance_.is_object(), "{}: attribute 'provenance': expected a JSON object", path());
  content_hash_ = file_.string_attribute("content_hash");
}

void Dataset::check_members() const {
  check_rows(file_, structure_members, size());
  check_rows(file_, atom_members, atoms());
  if (has_stress_) check_rows(file_, {{"stress", {3, 3}}}, size());
  if (has_step_) check_rows(file_, {{"step", {}}}, size());
  if (has_split()) check_rows(file_, {{"split", {}}}, size());
}

Structure Dataset::read(std::int64_t index) const {
  return std::move(read_range(index, 1).front());
}

std::vector<Structure> Dataset::read_range(std::int64_t begin, std::int64_t count) const {
  const DatasetBlock block = read_block(begin, count);
  std::vector<Structure> structures;
  structures.reserve(count);
  for (int row = 0; row < block.size(); ++row) structures.push_back(block.structure(row));
  return structures;
}

DatasetBlock Dataset::read_block(std::int64_t begin, std::int64_t count) const {
  require(begin >= 0 && count >= 0 && begin + count <= size(), "{}: structures {} to {} of a data set of {}", path(),
          begin, begin + count, size());
  const std::int64_t first = offsets_[begin], atoms = offsets_[begin + count] - first;
  DatasetBlock block;
  block.names = names_;
  block.index.resize(count);
  std::iota(block.index.begin(), block.index.end(), begin);
  for (std::int64_t i = begin; i <= begin + count; ++i) block.first_atom.push_back(offsets_[i] - first);
  block.numbers = file_.read_rows<int>("numbers", {any}, first, atoms);
  block.positions = file_.read_rows<double>("positions", {any, 3}, first, atoms);
  block.forces = file_.read_rows<double>("forces", {any, 3}, first, atoms);
  const auto read = [&]<class T>(std::vector<T>& values, const char* name, const hdf5::Shape& shape = {any}) {
    values = file_.read_rows<T>(name, shape, begin, count);
  };
  read(block.energy, "energy");
  read(block.weight, "weight");
  read(block.cell, "cell", {any, 3, 3});
  if (has_stress_) read(block.stress, "stress", {any, 3, 3});
  read(block.charge, "charge");
  read(block.multiplicity, "multiplicity");
  read(block.config_type, "config_type");
  read(block.group, "group");
  if (has_step_) read(block.step, "step");
  if (has_split()) read(block.split, "split");
  read(block.has_energy, "has_energy");
  read(block.has_forces, "has_forces");
  read(block.has_stress, "has_stress");
  read(block.has_charge, "has_charge");
  read(block.has_multiplicity, "has_multiplicity");
  read(block.periodic, "periodic", {any, 3});
  return block;
}

LabelCounts Dataset::labels() const {
  auto count = [&](const char* name) {
    std::int64_t labelled = 0;
    for (std::int64_t begin = 0; begin < size(); begin += block_of_structures) {
      auto mask = file_.read_rows<std::uint8_t>(name, {any}, begin, std::min(block_of_structures, size() - begin));
      labelled += std::count_if(mask.begin(), mask.end(), [](std::uint8_t flag) { return flag != 0; });
    }
    return labelled;
  };
  return {count("has_energy"), count("has_forces"), count("has_stress"), count("has_charge"),
          count("has_multiplicity")};
}

void Dataset::check_content() const {
  std::map<std::string, ContentHash> hashes;
  for (const char* name : {"positions", "forces", "energy", "cell", "weight"}) {
    hash_member<double>(file_, name, hashes[name]);
  }
  if (has_stress_) hash_member<double>(file_, "stress", hashes["stress"]);
  for (const char* name : {"numbers", "charge", "multiplicity", "config_type", "group"}) {
    hash_member<int>(file_, name, hashes[name]);
  }
  if (has_step_) hash_member<int>(file_, "step", hashes["step"]);
  if (has_split()) hash_member<int>(file_, "split", hashes["split"]);
  for (const char* name : {"periodic", "has_energy", "has_forces", "has_stress", "has_charge", "has_multiplicity"}) {
    hash_member<std::uint8_t>(file_, name, hashes[name]);
  }
  hashes["offsets"].add(std::span<const std::int64_t>(offsets_));
  for (const std::string& name : names_->config_types) hashes["config_type_names"].add({name.c_str(), name.size() + 1});
  for (const std::string& name : names_->groups) hashes["group_names"].add({name.c_str(), name.size() + 1});
  for (const std::string& name : names_->splits) hashes["split_names"].add({name.c_str(), name.size() + 1});
  std::string found = dataset::combined_hash(hashes);
  require(found == content_hash_,
          "{}: the content does not match its hash (stated {}, found {}): the file was changed or damaged", path(),
          content_hash_, found);
}

bool is_dataset_file(const std::string& path) {
  hdf5::File file = hdf5::File::open(path);
  return file.has_attribute("format") && file.string_attribute("format") == dataset::format_name;
}

namespace {

nlohmann::json json_attribute(const hdf5::File& file, const char* name) {
  nlohmann::json value = nlohmann::json::parse(file.string_attribute(name), nullptr, false);
  require(value.is_object(), "{}: attribute '{}': expected a JSON object", file.file(), name);
  return value;
}

}  // namespace

DatasetSummary read_summary(const std::string& path) {
  const hdf5::File file = hdf5::File::open(path);
  check_format(file);
  file.check_shape("offsets", {any});
  const std::int64_t structures = file.shape("offsets")[0] - 1;
  require(structures >= 1, "{}: the data set has no structures", path);
  const std::int64_t atoms = file.read_rows<std::int64_t>("offsets", {any}, structures, 1)[0];
  check_rows(file, structure_members, structures);
  check_rows(file, atom_members, atoms);
  if (file.has("stress")) check_rows(file, {{"stress", {3, 3}}}, structures);
  for (const char* name : {"step", "split"})
    if (file.has(name)) check_rows(file, {{name, {}}}, structures);
  DatasetSummary summary{structures, atoms, nullptr, json_attribute(file, "provenance"),
                         file.string_attribute("content_hash")};
  if (!file.has_attribute("census")) return summary;
  summary.census = json_attribute(file, "census");
  const nlohmann::json counted = summary.census.value("structures", nlohmann::json()),
                       of_atoms = summary.census.value("atoms", nlohmann::json());
  require(counted == structures && of_atoms == atoms,
          "{}: the census in the file is of {} structures and {} atoms, but there are {} and {}", path, counted.dump(),
          of_atoms.dump(), structures, atoms);
  return summary;
}

namespace {

class DatasetReader : public StructureReader {
 public:
  explicit DatasetReader(const std::string& path) : dataset_(Dataset::open(path)) {}

  bool next(Structure& structure) override {
    if (begin_ + place_ >= dataset_.size()) return false;
    if (place_ >= static_cast<std::int64_t>(block_.size())) {
      begin_ += place_;
      place_ = 0;
      if (begin_ >= dataset_.size()) return false;
      block_ = dataset_.read_range(begin_, std::min<std::int64_t>(256, dataset_.size() - begin_));
    }
    structure = std::move(block_[place_++]);
    return true;
  }
  double progress() const override { return static_cast<double>(begin_ + place_) / dataset_.size(); }
  std::vector<Finding> report() const override { return {{"labels as in the data set"}}; }

 private:
  Dataset dataset_;
  std::vector<Structure> block_;
  std::int64_t begin_ = 0, place_ = 0;
};

}  // namespace

std::unique_ptr<StructureReader> open_dataset_reader(const std::string& path, const ReadOptions& options) {
  refuse_keys(options, path, "a data set of isotrope has its labels in fixed places");
  return std::make_unique<DatasetReader>(path);
}

}  // namespace isotrope
