// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/atomic_file.hpp"
#include "core/hash.hpp"
#include "geometry/structure.hpp"
#include "io/dataset_block.hpp"
#include "io/hdf5.hpp"
#include "io/reader.hpp"

/// The data set: many structures with their labels in one HDF5 file, docs/dataset-format.md. Units are those of
/// Structure.
namespace isotrope {

inline constexpr int dataset_format_version = 1;

/// How many structures have which label.
struct LabelCounts {
  std::int64_t energy = 0, forces = 0, stress = 0, charge = 0, multiplicity = 0;
};

/// A data set open to read. Memory: 8 bytes a structure; the rest is read when asked for, a range of structures by one
/// access an array. Not for several threads at once.
class Dataset {
 public:
  /// Throws: missing, truncated, not HDF5, not a data set, newer format, without structures.
  static Dataset open(const std::string& path);

  std::int64_t size() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  std::int64_t atoms() const { return offsets_.back(); }
  Structure read(std::int64_t index) const;
  /// Structures [begin, begin + count), each checked: NaN in positions or labels throws, naming the structure's index.
  std::vector<Structure> read_range(std::int64_t begin, std::int64_t count) const;
  /// The same, not yet taken apart.
  DatasetBlock read_block(std::int64_t begin, std::int64_t count) const;
  LabelCounts labels() const;
  /// Masks of all structures: has_energy, has_forces, has_stress, has_charge, has_multiplicity.
  std::vector<std::uint8_t> mask(const std::string& name) const { return file_.read<std::uint8_t>(name, {size()}); }
  std::vector<std::uint8_t> periodic() const { return file_.read<std::uint8_t>("periodic", {size(), 3}); }
  /// Groups and sets of all structures, as indices of the tables of names; the sets only where has_split().
  std::vector<int> groups() const { return file_.read<int>("group", {size()}); }
  std::vector<int> splits() const { return file_.read<int>("split", {size()}); }
  bool has_split() const { return !names_->splits.empty(); }
  const std::vector<std::string>& group_names() const { return names_->groups; }
  const DatasetNames& names() const { return *names_; }
  const std::vector<std::int64_t>& offsets() const { return offsets_; }

  const std::string& path() const { return file_.file(); }
  const nlohmann::json& provenance() const { return provenance_; }
  const std::string& content_hash() const { return content_hash_; }
  void check_content() const;  ///< throws where the arrays do not have the hash that the file states

 private:
  explicit Dataset(hdf5::File file) : file_(std::move(file)) {}
  void read_header();
  void check_members() const;

  hdf5::File file_;
  std::vector<std::int64_t> offsets_;
  std::shared_ptr<const DatasetNames> names_;
  bool has_stress_ = false, has_step_ = false;  ///< members that may be absent
  nlohmann::json provenance_;
  std::string content_hash_;
};

/// Writes a data set as a stream: memory does not grow with it. Without commit() nothing appears.
class DatasetWriter {
 public:
  explicit DatasetWriter(const std::string& path);
  ~DatasetWriter();
  /// Throws for a structure that check_structure() refuses.
  void add(const Structure& structure);
  std::int64_t size() const { return structures_; }
  /// Throws where nothing was added. `provenance`: level of theory, sources, command. `durable`: see AtomicFile.
  /// `census`: Census::json() of what was added, kept in the file unless it is null.
  void commit(const nlohmann::json& provenance, bool durable = true, const nlohmann::json& census = {});

 private:
  struct Buffers;
  int name_index(std::map<std::string, int>& indices, std::vector<std::string>& names, const std::string& name);
  void flush();
  template <class T>
  void append(const char* name, std::vector<T>& values);
  template <class T>
  void append_optional(const char* name, std::vector<T>& values, bool here, bool& exists, int width, T fill);

  AtomicFile target_;
  std::unique_ptr<hdf5::File> file_;
  std::unique_ptr<Buffers> buffers_;
  std::map<std::string, ContentHash> hashes_;
  std::map<std::string, int> config_type_index_, group_index_, split_index_;
  std::vector<std::string> config_types_, groups_, splits_;
  std::int64_t structures_ = 0, atoms_ = 0;
};

/// The format "isotrope" of the registry: convert merges and rewrites data sets with it.
std::unique_ptr<StructureReader> open_dataset_reader(const std::string& path, const ReadOptions& options);

bool is_dataset_file(const std::string& path);

/// What the attributes of a data set say.
struct DatasetSummary {
  std::int64_t structures = 0, atoms = 0;
  nlohmann::json census, provenance;  ///< census: null where the file has none
  std::string content_hash;
};

/// Reads no array, so it takes milliseconds whatever the size. Throws: what Dataset::open() throws, except for offsets
/// that do not ascend and a damaged table of names; a member of another shape; a census of another number of structures
/// or atoms.
DatasetSummary read_summary(const std::string& path);

}  // namespace isotrope
