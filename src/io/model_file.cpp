// SPDX-License-Identifier: MIT
#include "io/model_file.hpp"

#include <algorithm>
#include <cmath>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "io/hdf5.hpp"

namespace isotrope {

namespace {

const char* const format_name = "isotrope-model";

/// The text of the hyperparameters is hashed as it is stored: another writer may put its spaces elsewhere.
std::string hash_of(const ModelRecord& record, const std::string& hyperparameters) {
  ContentHash hash;
  hash.add(record.architecture);
  hash.add(hyperparameters);
  hash.add(std::span<const int>(record.elements));
  hash.add(std::span<const double>(record.atomic_energies));
  hash.add(std::span<const double>(&record.cutoff, 1));
  for (const Parameters::Entry& entry : record.parameters.entries()) {
    hash.add(entry.name);
    hash.add(record.parameters[entry.name]);
  }
  for (const auto& [name, table] : record.tables) {
    hash.add(name);
    hash.add(std::span<const double>(table.values));
  }
  return hash.digest();
}

std::vector<int> int_shape(const hdf5::Shape& shape) {
  return {shape.begin(), shape.end()};
}
hdf5::Shape file_shape(const std::vector<int>& shape) {
  return {shape.begin(), shape.end()};
}

void check_finite(std::span<const double> values, const std::string& where) {
  bool finite = std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  require(finite, "{}: expected finite numbers, found NaN or infinity", where);
}

nlohmann::json read_json(const hdf5::File& file, const std::string& text, const char* attribute) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  require(json.is_object(), "{}: attribute '{}': expected a JSON object", file.file(), attribute);
  return json;
}

void check_format(const hdf5::File& file) {
  std::string found = file.has_attribute("format") ? file.string_attribute("format") : "";
  require(found == format_name, "{}: expected a model file (attribute format = '{}'), found format '{}'", file.file(),
          format_name, found);
  std::int64_t version = file.int_attribute("format_version");
  require(version <= model_format_version,
          "{}: model format version {} is newer than {}, the newest that this isotrope reads: use a newer isotrope",
          file.file(), version, model_format_version);
  require(version >= 1, "{}: expected model format version 1 or above, found {}", file.file(), version);
}

void check_elements(const hdf5::File& file, const ModelRecord& record) {
  require(!record.elements.empty(), "{}: expected at least one element", file.where("elements"));
  std::vector<int> sorted = record.elements;
  std::sort(sorted.begin(), sorted.end());
  require(sorted.front() >= 1 && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
          "{}: expected different atomic numbers from 1 on", file.where("elements"));
}

void read_parameters(const hdf5::File& file, Parameters& parameters) {
  hdf5::Group group = file.group("parameters");
  require(group.tracks_creation_order(),
          "{}: expected a group that tracks creation order, because that is the order of the parameters (h5py: "
          "create_group('parameters', track_order=True))",
          file.where("parameters"));
  for (const std::string& name : group.members()) {
    hdf5::Shape shape = group.shape(name);
    parameters.add(name, int_shape(shape));
    std::vector<double> values = group.read<double>(name, shape);
    check_finite(values, group.where(name));
    std::copy(values.begin(), values.end(), parameters[name].begin());
  }
}

void read_tables(const hdf5::File& file, std::map<std::string, Table>& tables) {
  hdf5::Group group = file.group("tables");
  for (const std::string& name : group.members()) {
    hdf5::Shape shape = group.shape(name);
    tables[name] = {int_shape(shape), group.read<double>(name, shape)};
    check_finite(tables[name].values, group.where(name));
  }
}

}  // namespace

ModelRecord read_model(const std::string& path) {
  hdf5::File file = hdf5::File::open(path);
  check_format(file);
  ModelRecord record;
  std::string hyperparameters = file.string_attribute("hyperparameters");
  record.architecture = file.string_attribute("architecture");
  record.hyperparameters = read_json(file, hyperparameters, "hyperparameters");
  record.training = read_json(file, file.string_attribute("training"), "training");
  record.elements = file.read<int>("elements", {hdf5::any});
  check_elements(file, record);
  record.atomic_energies = file.read<double>("atomic_energies", {static_cast<std::int64_t>(record.elements.size())});
  check_finite(record.atomic_energies, file.where("atomic_energies"));
  record.cutoff = file.read_scalar<double>("cutoff");
  require(std::isfinite(record.cutoff) && record.cutoff >= 0, "{}: expected a length of 0 or more in Å, found {}",
          file.where("cutoff"), record.cutoff);
  read_parameters(file, record.parameters);
  read_tables(file, record.tables);

  std::string stated = file.string_attribute("content_hash"), found = hash_of(record, hyperparameters);
  require(stated == found,
          "{}: the content does not match its hash (stated {}, found {}): the file was changed or damaged", path,
          stated, found);
  return record;
}

void write_model(const std::string& path, const ModelRecord& record) {
  AtomicFile target(path);
  {
    hdf5::File file = hdf5::File::create(target.temporary());
    file.write_attribute("format", std::string(format_name));
    file.write_attribute("format_version", model_format_version);
    file.write_attribute("architecture", record.architecture);
    file.write_attribute("hyperparameters", record.hyperparameters.dump());
    file.write_attribute("training", record.training.is_null() ? "{}" : record.training.dump());
    file.write_attribute("content_hash", content_hash(record));
    std::int64_t elements = static_cast<std::int64_t>(record.elements.size());
    file.write<int>("elements", record.elements, {elements});
    file.write<double>("atomic_energies", record.atomic_energies, {elements});
    file.write_scalar("cutoff", record.cutoff);
    hdf5::Group parameters = file.create_group("parameters");
    for (const Parameters::Entry& entry : record.parameters.entries()) {
      parameters.write<double>(entry.name, record.parameters[entry.name], file_shape(entry.shape));
    }
    hdf5::Group tables = file.create_group("tables");
    for (const auto& [name, table] : record.tables) tables.write<double>(name, table.values, file_shape(table.shape));
    file.flush();
  }
  target.commit();
}

std::string content_hash(const ModelRecord& record) {
  return hash_of(record, record.hyperparameters.dump());
}

std::string stated_hash(const std::string& path) {
  return hdf5::File::open(path).string_attribute("content_hash");
}

bool is_model_file(const std::string& path) {
  hdf5::File file = hdf5::File::open(path);
  return file.has_attribute("format") && file.string_attribute("format") == format_name;
}

}  // namespace isotrope
