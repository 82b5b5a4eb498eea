// SPDX-License-Identifier: MIT
#include "io/shards.hpp"

#include <filesystem>
#include <fstream>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace isotrope {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* format_name = "isotrope-shards";
constexpr int format_version = 1;

std::string shard_path(const std::string& list, int file) {
  const fs::path path(list);
  return (path.parent_path() / fmt::format("{}-{:05d}.h5", path.stem().string(), file)).string();
}

json parse_list(const std::string& path) {
  require(fs::exists(path), "cannot open {}: file not found", path);
  std::ifstream in(path, std::ios::binary);
  json list = json::parse(in, nullptr, false);
  require(list.is_object() && list.value("format", json()) == format_name,
          "{}: expected a list of shards as `isotrope convert` writes it, found another file", path);
  const json version = list.value("format_version", json());
  require(version.is_number_integer() && version >= 1, "{}: no format version: damaged?", path);
  require(
      version <= format_version,
      "{}: list of shards of version {} is newer than {}, the newest that this isotrope reads: use a newer isotrope",
      path, version.get<std::int64_t>(), format_version);
  return list;
}

/// One hash of several.
std::string combined(const std::vector<std::string>& hashes) {
  ContentHash hash;
  for (const std::string& part : hashes) hash.add(part);
  return hash.digest();
}

/// Throws unless the file is the one that was listed.
DatasetSummary checked_shard(const std::string& file, const json& entry, const std::string& list) {
  require(fs::exists(file), "{}: the shard {} is missing", list, file);
  DatasetSummary summary = read_summary(file);
  const std::string listed = entry.at("content_hash");
  require(summary.content_hash == listed,
          "{}: expected {} with the content hash {}, found {}: it is not the file that was listed", list, file, listed,
          summary.content_hash);
  return summary;
}

class Reader : public StructureReader {
 public:
  explicit Reader(std::vector<std::string> files) : files_(std::move(files)) {}

  bool next(Structure& structure) override {
    for (;;) {
      if (reader_ && reader_->next(structure)) return true;
      if (opened_ == files_.size()) return false;
      reader_ = open_dataset_reader(files_[opened_++], {});
    }
  }
  double progress() const override {
    if (!reader_) return 0;
    return (static_cast<double>(opened_ - 1) + reader_->progress()) / static_cast<double>(files_.size());
  }
  std::vector<Finding> report() const override { return {{"labels as in the data sets"}}; }

 private:
  std::vector<std::string> files_;
  std::unique_ptr<StructureReader> reader_;
  std::size_t opened_ = 0;
};

}  // namespace

bool is_shard_list(const std::string& path) {
  return fs::path(path).extension() == ".shards";
}

ShardList read_shards(const std::string& path) {
  const json list = parse_list(path);
  ShardList shards;
  std::vector<std::string> hashes;
  try {
    for (const json& entry : list.at("shards")) {
      const fs::path file = fs::path(path).parent_path() / entry.at("file").get<std::string>();
      const DatasetSummary summary = checked_shard(file.string(), entry, path);
      shards.files.push_back(file.string());
      shards.summary.structures += summary.structures;
      shards.summary.atoms += summary.atoms;
      hashes.push_back(summary.content_hash);
    }
    shards.summary.census = list.at("census");
    shards.summary.provenance = list.at("provenance");
  } catch (const json::exception&) {
    fail("{}: the list of shards is damaged", path);
  }
  require(!shards.files.empty(), "{}: the list has no shards", path);
  shards.summary.content_hash = combined(hashes);
  const json structures = shards.summary.census.value("structures", json());
  require(structures == shards.summary.structures, "{}: the census is of {} structures, but the shards have {}", path,
          structures.dump(), shards.summary.structures);
  return shards;
}

std::vector<std::string> shard_files(const std::string& path) {
  return is_shard_list(path) ? read_shards(path).files : std::vector<std::string>{path};
}

std::unique_ptr<StructureReader> open_shards(const std::string& path, const ReadOptions& options) {
  refuse_keys(options, path, "data sets of isotrope have their labels in fixed places");
  return std::make_unique<Reader>(read_shards(path).files);
}

ShardWriter::ShardWriter(std::string list, std::string folder, std::int64_t structures, json provenance)
    : list_(std::move(list)), folder_(std::move(folder)), per_file_(structures), provenance_(std::move(provenance)) {}

std::string ShardWriter::temporary(int file) const {
  return fmt::format("{}/joined-{:05d}.h5", folder_, file);
}

void ShardWriter::add(const Structure& structure) {
  if (!writer_) {
    writer_ = std::make_unique<DatasetWriter>(temporary(files_++));
    census_ = std::make_unique<Census>();
  }
  writer_->add(structure);
  census_->add(structure);
  if (writer_->size() == per_file_) finish_file();
}

void ShardWriter::finish_file() {
  writer_->commit(provenance_, true, census_->json());
  writer_.reset();
}

void ShardWriter::commit(const json& provenance, const json& census) {
  if (writer_) finish_file();
  json list = {{"format", format_name},
               {"format_version", format_version},
               {"provenance", provenance},
               {"census", census},
               {"shards", json::array()}};
  fs::remove(list_);  // while the files change there is no list that names others
  for (int file = 0; file < files_; ++file) {
    const std::string path = shard_path(list_, file);
    fs::rename(temporary(file), path);
    const DatasetSummary summary = read_summary(path);
    list["shards"].push_back({{"file", fs::path(path).filename().string()},
                              {"structures", summary.structures},
                              {"atoms", summary.atoms},
                              {"content_hash", summary.content_hash}});
  }
  write_text_file(list_, list.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace isotrope
