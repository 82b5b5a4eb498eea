// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.hpp"
#include "io/dataset.hpp"
#include "io/dataset_members.hpp"
#include "io/structure_checks.hpp"

namespace isotrope {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
// Buffers are written when they hold this much: several chunks of the file, whose largest size is the other. The first
// write sets it, so small sets stay small.
constexpr std::size_t atoms_per_block = 65536, structures_per_block = 4096;
constexpr std::int64_t rows_per_chunk = 16384;

/// In the member `step`.
constexpr int no_step = -1;

void push(std::vector<double>& to, const Vec3& v) {
  to.insert(to.end(), v.begin(), v.end());
}
void push(std::vector<double>& to, const std::vector<Vec3>& vectors) {
  const std::size_t old = to.size();
  to.resize(old + 3 * vectors.size());
  if (!vectors.empty()) std::memcpy(&to[old], vectors.data(), vectors.size() * sizeof(Vec3));
}
void push(std::vector<double>& to, const Mat3& m) {
  for (const Vec3& row : m) push(to, row);
}

}  // namespace

struct DatasetWriter::Buffers {
  std::vector<int> numbers;
  std::vector<double> positions, forces;
  std::vector<std::int64_t> offsets{0};
  std::vector<double> energy, stress, cell, weight;
  std::vector<int> charge, multiplicity, config_type, group, step, split;
  std::vector<std::uint8_t> periodic, has_energy, has_forces, has_stress, has_charge, has_multiplicity;
  std::int64_t written = 0;  ///< structures in the file
  bool stress_exists = false, step_exists = false, split_exists = false;
};

DatasetWriter::DatasetWriter(const std::string& path)
    : target_(path),
      file_(std::make_unique<hdf5::File>(hdf5::File::create(target_.temporary()))),
      buffers_(std::make_unique<Buffers>()) {}

DatasetWriter::~DatasetWriter() = default;

int DatasetWriter::name_index(std::map<std::string, int>& indices, std::vector<std::string>& names,
                              const std::string& name) {
  auto [place, is_new] = indices.try_emplace(name, static_cast<int>(names.size()));
  if (is_new) names.push_back(name);
  return place->second;
}

void DatasetWriter::add(const Structure& structure) {
  try {
    check_structure(structure);
  } catch (const Error& error) {
    fail("{}: structure {}: {}", target_.path(), structures_, error.what());
  }
  Buffers& b = *buffers_;
  b.numbers.insert(b.numbers.end(), structure.numbers.begin(), structure.numbers.end());
  push(b.positions, structure.positions);
  push(b.forces, structure.forces);
  if (structure.forces.empty()) b.forces.insert(b.forces.end(), 3 * structure.numbers.size(), nan);
  ++structures_;
  atoms_ += structure.size();
  b.offsets.push_back(atoms_);

  b.energy.push_back(structure.energy.value_or(nan));
  b.has_energy.push_back(structure.energy.has_value());
  b.has_forces.push_back(!structure.forces.empty());
  b.has_stress.push_back(structure.stress.has_value());
  push(b.stress, structure.stress.value_or(Mat3{Vec3{nan, nan, nan}, {nan, nan, nan}, {nan, nan, nan}}));
  b.charge.push_back(structure.charge.value_or(0));
  b.has_charge.push_back(structure.charge.has_value());
  b.multiplicity.push_back(structure.multiplicity.value_or(0));
  b.has_multiplicity.push_back(structure.multiplicity.has_value());
  push(b.cell, structure.cell);
  for (bool periodic : structure.periodic) b.periodic.push_back(periodic);
  b.config_type.push_back(name_index(config_type_index_, config_types_, structure.config_type));
  b.group.push_back(name_index(group_index_, groups_, structure.group));
  b.step.push_back(structure.step.value_or(no_step));
  b.split.push_back(name_index(split_index_, splits_, structure.split));
  b.weight.push_back(structure.weight);
  if (b.numbers.size() >= atoms_per_block || b.energy.size() >= structures_per_block) flush();
}

template <class T>
void DatasetWriter::append(const char* name, std::vector<T>& values) {
  static const std::map<std::string, hdf5::Shape> rows = {
      {"positions", {3}}, {"forces", {3}}, {"stress", {3, 3}}, {"cell", {3, 3}}, {"periodic", {3}}};
  if (!file_->has(name)) {
    auto found = rows.find(name);
    hdf5::Shape row = found == rows.end() ? hdf5::Shape{} : found->second;
    std::int64_t width = 1;
    for (std::int64_t extent : row) width *= extent;
    const std::int64_t rows = static_cast<std::int64_t>(values.size()) / width;
    file_->create_rows<T>(name, row, std::clamp<std::int64_t>(rows, 1, rows_per_chunk));
  }
  file_->append_rows<T>(name, values);
  hashes_[name].add(std::span<const T>(values));
  values.clear();
}

/// A member that exists only once a structure has it; the first one gets rows for all structures before it.
template <class T>
void DatasetWriter::append_optional(const char* name, std::vector<T>& values, bool here, bool& exists, int width,
                                    T fill) {
  if (here && !exists) values.insert(values.begin(), static_cast<std::size_t>(width * buffers_->written), fill);
  exists = exists || here;
  if (exists)
    append(name, values);
  else
    values.clear();
}

void DatasetWriter::flush() {
  Buffers& b = *buffers_;
  const std::int64_t structures = static_cast<std::int64_t>(b.energy.size());
  const auto any_stress = std::find(b.has_stress.begin(), b.has_stress.end(), 1) != b.has_stress.end();
  const auto any_step = std::any_of(b.step.begin(), b.step.end(), [](int step) { return step != no_step; });
  append_optional("stress", b.stress, any_stress, b.stress_exists, 9, nan);
  append_optional("step", b.step, any_step, b.step_exists, 1, no_step);
  // While no structure had one, the empty name was the only one: its index is 0.
  append_optional("split", b.split, splits_ != std::vector<std::string>{""}, b.split_exists, 1, 0);
  append("numbers", b.numbers);
  append("positions", b.positions);
  append("forces", b.forces);
  append("offsets", b.offsets);
  append("energy", b.energy);
  append("charge", b.charge);
  append("multiplicity", b.multiplicity);
  append("has_energy", b.has_energy);
  append("has_forces", b.has_forces);
  append("has_stress", b.has_stress);
  append("has_charge", b.has_charge);
  append("has_multiplicity", b.has_multiplicity);
  append("cell", b.cell);
  append("periodic", b.periodic);
  append("config_type", b.config_type);
  append("group", b.group);
  append("weight", b.weight);
  b.written += structures;
}

void DatasetWriter::commit(const nlohmann::json& provenance, bool durable, const nlohmann::json& census) {
  require(structures_ > 0, "{}: not written, there are no structures", target_.path());
  flush();
  file_->write_strings("config_type_names", config_types_);
  file_->write_strings("group_names", groups_);
  if (buffers_->split_exists) {
    file_->write_strings("split_names", splits_);
    for (const std::string& name : splits_) hashes_["split_names"].add({name.c_str(), name.size() + 1});
  }
  for (const std::string& name : config_types_) hashes_["config_type_names"].add({name.c_str(), name.size() + 1});
  for (const std::string& name : groups_) hashes_["group_names"].add({name.c_str(), name.size() + 1});
  file_->write_attribute("format", std::string(dataset::format_name));
  file_->write_attribute("format_version", dataset_format_version);
  file_->write_attribute("units", std::string(dataset::units));
  file_->write_attribute("provenance", provenance.is_null() ? "{}" : provenance.dump());
  // Names may hold bytes that are no UTF-8.
  if (!census.is_null())
    file_->write_attribute("census", census.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  file_->write_attribute("content_hash", dataset::combined_hash(hashes_));
  file_->flush();
  file_.reset();
  target_.commit(durable);
}

}  // namespace isotrope
