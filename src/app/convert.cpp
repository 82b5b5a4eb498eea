// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <filesystem>

#include "app/commands.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "core/version.hpp"
#include "io/census.hpp"
#include "io/extxyz.hpp"
#include "io/reader.hpp"

namespace isotrope::app {

namespace {

struct ConvertOptions {
  std::vector<std::string> inputs;
  std::string output, format, level, stress_sign = "tension";
  ReadOptions read;
};

/// Where the structures go: a data set, or extended xyz for an output that ends in .xyz or .extxyz.
struct Output {
  std::unique_ptr<DatasetWriter> dataset;
  std::unique_ptr<ExtxyzWriter> extxyz;

  explicit Output(const std::string& path) {
    std::string extension = std::filesystem::path(path).extension().string();
    if (extension == ".xyz" || extension == ".extxyz")
      extxyz = std::make_unique<ExtxyzWriter>(path);
    else if (extension == ".h5" || extension == ".hdf5")
      dataset = std::make_unique<DatasetWriter>(path);
    else
      fail("{}: expected an output that ends in .h5 (a data set) or .xyz (extended xyz)", path);
  }
  void add(const Structure& structure) {
    if (dataset)
      dataset->add(structure);
    else
      extxyz->add(structure);
  }
  void commit(const nlohmann::json& provenance) {
    if (dataset)
      dataset->commit(provenance);
    else
      extxyz->commit();
  }
};

/// Reads one file to its end; what was found in it, for the provenance.
nlohmann::json convert_file(const std::string& path, const ConvertOptions& options, Output& output, Census& census) {
  auto reader = open_reader(path, options.format, options.read);
  Progress progress(path);
  Structure structure;
  long structures = 0;
  for (; reader->next(structure); ++structures) {
    output.add(structure);
    census.add(structure);
    if (progress.due()) progress.update(reader->progress(), fmt::format("{} structures", structures));
  }
  std::vector<std::string> lines;
  for (const Finding& finding : reader->report()) lines.push_back(finding.line());
  for (const std::string& line : lines) log().info("{}: {}", path, line);
  return {{"file", std::filesystem::path(path).filename().string()},
          {"structures", structures},
          {"labels", lines}};
}

int run(ConvertOptions& options) {
  require(options.stress_sign == "tension" || options.stress_sign == "compression",
          "--stress-sign: expected 'tension' or 'compression' (which of them is positive), found '{}'",
          options.stress_sign);
  options.read.stress_sign = options.stress_sign == "tension" ? 1 : -1;
  nlohmann::json provenance = {{"program", fmt::format("isotrope {}", version())},
                               {"sources", nlohmann::json::array()}};
  if (!options.level.empty()) provenance["level_of_theory"] = options.level;
  Output output(options.output);
  Census census;
  for (const std::string& path : options.inputs) {
    provenance["sources"].push_back(convert_file(path, options, output, census));
  }
  output.commit(provenance);
  fmt::print("{}\n", options.output);
  for (const std::string& line : census.lines()) fmt::print("{}\n", line);
  if (options.level.empty()) log().warn("the level of theory is not recorded: say --level \"...\"");
  return 0;
}

}  // namespace

Action setup_convert(CLI::App& app) {
  auto o = std::make_shared<ConvertOptions>();
  std::vector<std::string> known;
  for (const Format& format : formats()) known.push_back(fmt::format("{} ({})", format.name, format.help));
  app.add_option("IN", o->inputs, "Files to convert, in this order")->required();
  app.add_option("-o,--output", o->output, "Data set to write (.h5), or extended xyz (.xyz)")->required();
  app.add_option("--format", o->format,
                 fmt::format("Format of the input: {}; otherwise by extension", fmt::join(known, ", ")));
  app.add_option("--level", o->level, "Level of theory, kept in the data set: \"B3LYP/6-31G*\"");
  ReadOptions& read = o->read;
  app.add_option("--energy-key", read.energy_key,
                 "Entry with the total energy in eV (usual: energy); 'none': leave it out");
  app.add_option("--forces-key", read.forces_key, "Column with the forces in eV/Å (usual: forces)");
  app.add_option("--stress-key", read.stress_key, "Entry with the stress in eV/Å^3, 9 or 6 numbers (usual: stress)");
  app.add_option("--virial-key", read.virial_key, "Entry with the virial in eV, stress = -virial / V (usual: virial)");
  app.add_option("--stress-sign", o->stress_sign,
                 "What a positive stress means in the file: tension (ASE) or compression")
      ->capture_default_str();
  app.add_option("--charge-key", read.charge_key, "Entry with the total charge in e (usual: charge, total_charge)");
  app.add_option("--multiplicity-key", read.multiplicity_key, "Entry with 2S+1 (usual: multiplicity)");
  app.add_option("--charge", read.charge, "Total charge in e of structures that have none in the file");
  app.add_option("--multiplicity", read.multiplicity, "2S+1 of structures that have none in the file");
  app.add_option("--stage", read.stage, "Stage of PubChemQCR's relaxations: pm3, hf, DFT_1st, DFT_2nd");
  app.add_option("--config-type", read.config_type, "Kind of a structure, {KEY} stands for an entry of its frame")
      ->capture_default_str();
  app.add_option("--group", read.group, "Group of a structure, likewise: '{temperature}K'");
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
