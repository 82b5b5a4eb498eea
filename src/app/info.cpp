// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/progress.hpp"
#include "io/census.hpp"
#include "io/model_file.hpp"
#include "models/potential.hpp"

namespace isotrope::app {

namespace {

struct InfoOptions {
  std::string file;
  JsonOutput json;
};

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

Census take_census(const Dataset& dataset) {
  Census census;
  Progress progress(dataset.path());
  constexpr std::int64_t block = 1024;
  for (std::int64_t begin = 0; begin < dataset.size(); begin += block) {
    for (const Structure& s : dataset.read_range(begin, std::min(block, dataset.size() - begin))) census.add(s);
    progress.update(static_cast<double>(begin) / dataset.size(), fmt::format("{} structures", begin));
  }
  return census;
}

void print_dataset(const std::string& path, const JsonOutput& output) {
  Dataset dataset = Dataset::open(path);
  dataset.check_content();
  Census census = take_census(dataset);
  if (output.wanted()) {
    nlohmann::json json = census.json();
    json["kind"] = "dataset";
    json["file"] = path;
    json["provenance"] = dataset.provenance();
    json["content_hash"] = dataset.content_hash();
    output.write(json);
  }
  if (output.to_standard_output()) return;
  fmt::print("data set      {}\n", path);
  for (const std::string& line : census.lines()) fmt::print("{}\n", line);
  for (const auto& [key, value] : dataset.provenance().items()) fmt::print("provenance    {}: {}\n", key, value.dump());
  fmt::print("hash          {}\n", dataset.content_hash());
}

int run(const InfoOptions& options) {
  if (is_model_file(options.file)) {
    print_model(options.file, options.json);
  } else {
    require(is_dataset_file(options.file), "{}: expected a model or a data set of isotrope, found another HDF5 file",
            options.file);
    print_dataset(options.file, options.json);
  }
  return 0;
}

}  // namespace

Action setup_info(CLI::App& app) {
  auto options = std::make_shared<InfoOptions>();
  app.add_option("FILE", options->file, "Model or data set (.h5)")->required();
  options->json.add_to(app);
  return [options] { return run(*options); };
}

}  // namespace isotrope::app
