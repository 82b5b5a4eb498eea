// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "io/census.hpp"
#include "io/census_report.hpp"
#include "io/model_file.hpp"
#include "io/shards.hpp"
#include "models/potential.hpp"

namespace isotrope::app {

namespace {

struct InfoOptions {
  std::string file;
  bool check = false;
  std::string report;
  std::optional<std::string> isolated_atoms;
  JsonOutput json;
};

constexpr std::size_t sources_shown = 12;

const char* symmetry_name(Symmetry symmetry) {
  return symmetry == Symmetry::o3 ? "O(3)" : symmetry == Symmetry::so3 ? "SO(3)" : "none";
}
const char* symmetry_text(Symmetry symmetry) {
  return symmetry == Symmetry::o3    ? "O(3): rotations and reflections, exactly"
         : symmetry == Symmetry::so3 ? "SO(3): rotations, exactly"
                                     : "none built in";
}

/// The kinds of forces that a model gives, its answer first.
std::vector<std::string> kinds_of_forces(const PotentialInfo& info) {
  std::vector<std::string> kinds{name_of(info.forces)};
  if (info.gradient_forces && info.direct_forces)
    kinds.push_back(name_of(info.forces == Forces::direct ? Forces::gradient : Forces::direct));
  return kinds;
}

/// What only the potential itself knows.
PotentialInfo info_of(const std::string& path, const ModelRecord& record) {
  KokkosScope kokkos;
  try {
    return make_potential(record, Precision::double_precision)->info();
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

void print_model(const std::string& path, const JsonOutput& output) {
  ModelRecord record = read_model(path);
  const PotentialInfo info = info_of(path, record);
  nlohmann::json json;
  json["kind"] = "model";
  json["file"] = path;
  json["architecture"] = record.architecture;
  json["cutoff_angstrom"] = record.cutoff;
  json["symmetry"] = symmetry_name(info.symmetry);
  json["forces"] = kinds_of_forces(info);
  json["smooth_cutoff"] = info.smooth_cutoff;
  json["message_passing_layers"] = info.message_passing_layers;
  json["parameters"] = record.parameters.size();
  json["hyperparameters"] = record.hyperparameters;
  json["training"] = record.training;
  json["content_hash"] = stated_hash(path);
  std::vector<std::string> energies;
  json["elements"] = nlohmann::json::array();
  for (std::size_t i = 0; i < record.elements.size(); ++i) {
    const std::string& symbol = element_symbol(record.elements[i]);
    json["elements"].push_back(symbol);
    json["atomic_energies_ev"][symbol] = record.atomic_energies[i];
    energies.push_back(fmt::format("{} {:.6f}", symbol, record.atomic_energies[i]));
  }
  if (output.wanted()) output.write(json);
  if (output.to_standard_output()) return;
  fmt::print("model         {}\n", path);
  fmt::print("architecture  {}\n", record.architecture);
  fmt::print("elements, E0  {} eV\n", fmt::join(energies, ", "));
  fmt::print("cutoff        {} Å{}\n", record.cutoff, info.smooth_cutoff ? "" : ", where energy and forces jump");
  fmt::print("symmetry      {}\n", symmetry_text(info.symmetry));
  fmt::print("forces        {}\n", fmt::join(kinds_of_forces(info), ", "));
  fmt::print("layers        {} that pass messages between atoms\n", info.message_passing_layers);
  fmt::print("parameters    {} in {} arrays\n", record.parameters.size(), record.parameters.entries().size());
  for (const auto& [key, value] : record.hyperparameters.items()) fmt::print("  {:<20}{}\n", key, value.dump());
  for (const auto& [key, value] : record.training.items()) fmt::print("training      {}: {}\n", key, value.dump());
  fmt::print("hash          {}\n", json["content_hash"].get<std::string>());
}

/// Reads everything; `check`: the hash of each file, too.
nlohmann::json count_census(const std::vector<std::string>& files, bool check) {
  Census census;
  constexpr std::int64_t block = 1024;
  for (const std::string& file : files) {
    const Dataset dataset = Dataset::open(file);
    if (check) dataset.check_content();
    Progress progress(file);
    for (std::int64_t begin = 0; begin < dataset.size(); begin += block) {
      for (const Structure& s : dataset.read_range(begin, std::min(block, dataset.size() - begin))) census.add(s);
      progress.update(static_cast<double>(begin) / static_cast<double>(dataset.size()),
                      fmt::format("{} structures", begin));
    }
  }
  return census.json();
}

/// What the file has kept; counted where it has nothing, and to check it.
nlohmann::json census_of(const std::string& path, const ShardList& set, bool check) {
  const nlohmann::json& stated = set.summary.census;
  if (!stated.is_null() && !check) return stated;
  nlohmann::json counted = count_census(set.files, check);
  if (stated.is_null()) {
    log().info("{}: no census in the file, counted now: `isotrope convert {} -o NEW.h5` keeps one", path, path);
    return counted;
  }
  check_census(stated, counted, path);
  return stated;
}

std::vector<std::string> lines_of(const nlohmann::json& census, const std::string& path) {
  try {
    return census_lines(census);
  } catch (const nlohmann::json::exception&) {
    fail("{}: attribute 'census': not a census of isotrope; `isotrope convert` writes a new file with a right one",
         path);
  }
}

void print_provenance(const nlohmann::json& provenance) {
  for (const auto& [key, value] : provenance.items()) {
    if (key == "sources" && value.is_array() && value.size() > sources_shown) {
      for (std::size_t i = 0; i < sources_shown; ++i) fmt::print("provenance    source: {}\n", value[i].dump());
      fmt::print("provenance    source: ... {} in all\n", value.size());
    } else {
      fmt::print("provenance    {}: {}\n", key, value.dump());
    }
  }
}

void print_dataset(const InfoOptions& options) {
  const std::string& path = options.file;
  ShardList set = is_shard_list(path) ? read_shards(path) : ShardList{{path}, read_summary(path)};
  set.summary.census = census_of(path, set, options.check);
  const std::vector<std::string> lines = lines_of(set.summary.census, path);
  if (!options.report.empty()) write_census_report(set.files, set.summary, options.isolated_atoms, options.report);
  if (options.json.wanted()) {
    nlohmann::json json = set.summary.census;
    json["kind"] = "dataset";
    json["file"] = path;
    json["files"] = set.files;
    json["provenance"] = set.summary.provenance;
    json["content_hash"] = set.summary.content_hash;
    json["checked"] = options.check;
    options.json.write(json);
  }
  if (options.json.to_standard_output()) return;
  fmt::print("data set      {}{}\n", path,
             is_shard_list(path) ? fmt::format(", {} files", set.files.size()) : std::string());
  for (const std::string& line : lines) fmt::print("{}\n", line);
  print_provenance(set.summary.provenance);
  fmt::print("hash          {}{}\n", set.summary.content_hash, options.check ? ", which the content has" : "");
}

int run(const InfoOptions& options) {
  if (is_shard_list(options.file)) {
    print_dataset(options);
  } else if (is_model_file(options.file)) {
    require(options.report.empty(), "{}: --report is of data sets, found a model", options.file);
    print_model(options.file, options.json);
  } else {
    require(is_dataset_file(options.file), "{}: expected a model or a data set of isotrope, found another HDF5 file",
            options.file);
    print_dataset(options);
  }
  return 0;
}

}  // namespace

Action setup_info(CLI::App& app) {
  auto options = std::make_shared<InfoOptions>();
  app.add_option("FILE", options->file, "Model or data set (.h5, .shards)")->required();
  app.add_flag("--check", options->check,
               "Read the whole data set: its content against its hash, its census against a count");
  app.add_option("--report", options->report,
                 "Folder for histograms of a data set: sizes, elements, energies, forces, distances, charges");
  app.add_option("--isolated-atoms", options->isolated_atoms,
                 "Data set of isolated atoms that the energies of the report are relative to (else those of the data, "
                 "or a fit of the composition)")
      ->needs("--report");
  options->json.add_to(app);
  return [options] { return run(*options); };
}

}  // namespace isotrope::app
