// SPDX-License-Identifier: MIT
#include "io/conversion_parts.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "io/dataset.hpp"
#include "io/shards.hpp"

namespace isotrope::conversion {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int state_version = 1;

/// What the parts depend on. How bad entries are treated does not belong to it, nor what happens when parts are joined.
json settings(const ConversionRequest& request) {
  const ReadOptions& read = request.read;
  const auto text = [](const auto& option) { return option ? json(*option) : json(); };
  return {{"format", request.format},
          {"energy_key", text(read.energy_key)},
          {"forces_key", text(read.forces_key)},
          {"stress_key", text(read.stress_key)},
          {"virial_key", text(read.virial_key)},
          {"charge_key", text(read.charge_key)},
          {"multiplicity_key", text(read.multiplicity_key)},
          {"stress_sign", read.stress_sign},
          {"config_type", read.config_type},
          {"group", read.group},
          {"charge", text(read.charge)},
          {"multiplicity", text(read.multiplicity)},
          {"stage", read.stage}};
}

/// Bytes and time of the last change; of a folder, those of all files in it.
std::pair<std::uintmax_t, std::intmax_t> size_and_time(const fs::path& path) {
  const auto time = [](const fs::path& file) -> std::intmax_t {
    return fs::last_write_time(file).time_since_epoch().count();
  };
  if (!fs::is_directory(path)) return {fs::file_size(path), time(path)};
  std::pair<std::uintmax_t, std::intmax_t> all{0, time(path)};
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    all.second = std::max(all.second, time(entry.path()));
    if (entry.is_regular_file()) all.first += entry.file_size();
  }
  return all;
}

json state_of(const ConversionRequest& request, const std::vector<Part>& parts) {
  json state = {{"format_version", state_version}, {"settings", settings(request)}, {"parts", json::array()}};
  for (const std::string& file : request.inputs) {
    const auto [bytes, changed] = size_and_time(file);
    state["inputs"].push_back({{"file", fs::absolute(file).string()}, {"bytes", bytes}, {"changed", changed}});
  }
  for (const Part& part : parts) state["parts"].push_back({part.file, part.entries.begin, part.entries.end});
  return state;
}

json read_json(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const json value = json::parse(in, nullptr, false);
  require(!value.is_discarded(), "{}: expected JSON: damaged? Remove the folder to start over", path);
  return value;
}

bool is_whole(const std::string& path) {
  try {
    Dataset::open(path).check_content();
    return true;
  } catch (const Error& error) {
    log().warn("{}: converted again", error.what());
    return false;
  }
}

}  // namespace

std::vector<Part> plan_parts(const ConversionRequest& request) {
  std::vector<Part> parts;
  for (const std::string& file : request.inputs) {
    const Format& format = format_of(file, request.format);
    check_kind(file, format);
    if (!format.count_entries) {
      for (const std::string& shard : shard_files(file)) parts.push_back({shard, {}});
      continue;
    }
    const std::int64_t step = request.entries_per_part > 0 ? request.entries_per_part : format.entries_per_part;
    const std::int64_t entries = format.count_entries(file);
    require(entries > 0, "{}: the file has no entries", file);
    for (std::int64_t begin = 0; begin < entries; begin += step)
      parts.push_back({file, {begin, std::min(begin + step, entries)}});
  }
  return parts;
}

std::string PartFolder::structures_path(int part) const {
  return fmt::format("{}/{:06d}.h5", path_, part);
}

std::string PartFolder::record_path(int part) const {
  return fmt::format("{}/{:06d}.json", path_, part);
}

int PartFolder::begin(const ConversionRequest& request, const std::vector<Part>& parts) const {
  const std::string state_path = path_ + "/state.json";
  const json state = state_of(request, parts);
  const bool same = fs::exists(state_path) && read_json(state_path) == state;
  if (!same) {
    remove_if_nothing_is_done();
    require(!fs::exists(path_),
            "{} holds an unfinished conversion of other files or with other options: repeat that one to go on with it, "
            "or remove the folder to start over",
            path_);
    std::error_code error;
    fs::create_directory(path_, error);
    require(!error, "cannot make the folder {}: {}", path_, error.message());
    write_text_file(state_path, state.dump(1) + "\n");
  }
  for (const auto& entry : fs::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".tmp") != std::string::npos || name.starts_with("joined")) fs::remove(entry.path());
  }
  int done = 0;
  for (int part = 0; part < static_cast<int>(parts.size()); ++part) {
    if (!is_done(part)) continue;
    const PartRecord finished = record(part);
    require(request.skip_bad || finished.rejected.empty(),
            "{} holds parts from which bad entries were left out (the first: {}): say --on-error skip, or remove the "
            "folder to start over",
            path_, finished.rejected.empty() ? "" : finished.rejected.front());
    if (finished.structures == 0 || is_whole(structures_path(part)))
      ++done;
    else
      fs::remove(record_path(part));  // lost in a power cut: parts are not forced to disk
  }
  return done;
}

bool PartFolder::is_done(int part) const {
  return fs::exists(record_path(part));
}

PartRecord PartFolder::record(int part) const {
  const json value = read_json(record_path(part));
  PartRecord record;
  try {
    record.structures = value.at("structures");
    for (const json& f : value.at("findings")) record.findings.push_back({f.at(0), f.at(1), f.at(2), f.at(3), f.at(4)});
    record.rejected = value.at("rejected").get<std::vector<std::string>>();
  } catch (const json::exception&) {
    fail("{}: not the record of a part: damaged? Remove the folder to start over", record_path(part));
  }
  return record;
}

void PartFolder::write_record(int part, const PartRecord& record) const {
  json value = {{"structures", record.structures}, {"findings", json::array()}, {"rejected", record.rejected}};
  for (const Finding& f : record.findings)
    value["findings"].push_back({f.text, f.count, f.total, f.unit, f.only_if_any});
  // Entries may hold bytes that are no UTF-8.
  write_text_file(record_path(part), value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

void PartFolder::remove() const {
  fs::remove_all(path_);
}

bool PartFolder::remove_if_nothing_is_done() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (entry.path().extension() == ".json" && entry.path().filename() != "state.json") return false;
  }
  fs::remove_all(path_, error);
  return true;
}

}  // namespace isotrope::conversion
