// SPDX-License-Identifier: MIT
#include "io/reader.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/nearest.hpp"
#include "io/dataset.hpp"
#include "io/deepmd.hpp"
#include "io/extxyz.hpp"
#include "io/molecule_hdf5.hpp"
#include "io/omol25.hpp"
#include "io/pubchemqcr.hpp"
#include "io/shards.hpp"
#include "io/structure_checks.hpp"

namespace isotrope {

void check_structure(const Structure& structure, const std::string& where) {
  try {
    check_structure(structure);
  } catch (const Error& error) {
    fail("{}: {}", where, error.what());
  }
}

const std::vector<Format>& formats() {
  static const std::vector<Format> table = {
      {"extxyz", "extended xyz", {".xyz", ".extxyz"}, open_extxyz},
      {"isotrope", "data set of isotrope", {".h5", ".hdf5"}, open_dataset_reader},
      {"omol25", "OMol25", {".aselmdb"}, open_omol25, count_omol25, 20'000},
      {"pubchemqcr", "PubChemQCR", {".lmdb"}, open_pubchemqcr, count_pubchemqcr, 1'000},
      {"deepmd", "folders of DeePMD systems", {}, open_deepmd, count_deepmd, 20'000, true},
      {"spice", "SPICE, HDF5", {}, open_spice, count_spice, 1'000},
      {"ani", "ANI, HDF5", {}, open_ani, count_ani, 200},
      {"shards", "list of data sets", {".shards"}, open_shards},
  };
  return table;
}

const Format& format_of(const std::string& path, const std::string& name) {
  std::string extension = std::filesystem::path(path).extension().string();
  const bool folder = std::filesystem::is_directory(path);
  std::vector<std::string> names;
  for (const Format& candidate : formats()) {
    const auto& known = candidate.extensions;
    const bool by_name = folder ? candidate.folder : std::find(known.begin(), known.end(), extension) != known.end();
    const bool fits = name.empty() ? by_name : candidate.name == name;
    if (fits) return candidate;
    names.push_back(candidate.name);
  }
  require(!name.empty(), "{}: the format cannot be told from the name: say --format ({})", path,
          fmt::join(names, ", "));
  fail("unknown format '{}', did you mean '{}'? Known: {}", name, nearest(name, names), fmt::join(names, ", "));
}

void check_kind(const std::string& path, const Format& format) {
  require(std::filesystem::exists(path), "cannot open {}: file not found", path);
  const bool folder = std::filesystem::is_directory(path);
  require(format.folder || !folder, "cannot open {}: it is a folder", path);
  require(folder || !format.folder, "cannot open {}: expected a folder of {}, found a file", path, format.name);
}

std::unique_ptr<StructureReader> open_reader(const std::string& path, const std::string& format,
                                             const ReadOptions& options) {
  const Format& found = format_of(path, format);
  check_kind(path, found);
  return found.open(path, options);
}

std::string Finding::line() const {
  return total == 0 ? text : fmt::format("{} in {} of {} {}", text, count, total, unit);
}

std::vector<std::string> lines_of(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings)
    if (finding.count > 0 || !finding.only_if_any) lines.push_back(finding.line());
  return lines;
}

void refuse_keys(const ReadOptions& options, const std::string& path, const char* why, bool spin_keys) {
  const bool keys = options.energy_key || options.forces_key || options.stress_key || options.virial_key ||
                    (!spin_keys && (options.charge_key || options.multiplicity_key));
  require(!keys, "{}: {}, keys are for other formats", path, why);
}

std::string expand_pattern(const std::string& pattern,
                           const std::function<std::optional<std::string>(const std::string&)>& find,
                           const std::string& where, const char* option) {
  std::string result;
  for (std::size_t at = 0; at < pattern.size();) {
    std::size_t end = pattern[at] == '{' ? pattern.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      result += pattern[at++];
      continue;
    }
    std::string key = pattern.substr(at + 1, end - at - 1);
    bool alone = at == 0 && end + 1 == pattern.size();
    const std::optional<std::string> found = find(key);
    if (!found && alone) return "";
    require(found.has_value(), "{}: no entry '{}', which {} '{}' asks for", where, key, option, pattern);
    result += *found;
    at = end + 1;
  }
  return result;
}

}  // namespace isotrope
