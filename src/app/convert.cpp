// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <map>

#include "app/commands.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "core/version.hpp"
#include "io/census.hpp"
#include "io/conversion.hpp"

namespace isotrope::app {

namespace {

struct ConvertOptions {
  ConversionRequest request;
  std::string level, stress_sign = "tension", on_error = "stop", split;
  SplitRule rule;
};

std::optional<SplitRule> split_rule(const ConvertOptions& options) {
  static const std::map<std::string, SplitRule::Kind> kinds = {{"structure", SplitRule::Kind::structure},
                                                               {"group", SplitRule::Kind::group},
                                                               {"pubchemqcr", SplitRule::Kind::pubchemqcr}};
  if (options.split.empty()) {
    require(options.rule.ratios.empty(), "--split-ratios needs --split structure, group or pubchemqcr");
    return std::nullopt;
  }
  SplitRule rule = options.rule;
  const auto found = kinds.find(options.split);
  if (found == kinds.end()) {
    require(options.split.ends_with(".json"),
            "--split: expected structure, group, pubchemqcr or a file of ids that ends in .json, found '{}'",
            options.split);
    require(rule.ratios.empty(), "--split-ratios: {} says which structure is in which set", options.split);
    rule.kind = SplitRule::Kind::file;
    rule.file = options.split;
  } else {
    require(!rule.ratios.empty(), "--split {}: say --split-ratios, for example 0.8,0.1,0.1 (train, validation, test)",
            options.split);
    rule.kind = found->second;
  }
  return rule;
}

void complete(ConvertOptions& options) {
  require(options.stress_sign == "tension" || options.stress_sign == "compression",
          "--stress-sign: expected 'tension' or 'compression' (which of them is positive), found '{}'",
          options.stress_sign);
  require(options.on_error == "stop" || options.on_error == "skip", "--on-error: expected 'stop' or 'skip', found '{}'",
          options.on_error);
  ConversionRequest& request = options.request;
  request.read.stress_sign = options.stress_sign == "tension" ? 1 : -1;
  request.skip_bad = options.on_error == "skip";
  request.split = split_rule(options);
  request.provenance["program"] = fmt::format("isotrope {}", version());
  if (!options.level.empty()) request.provenance["level_of_theory"] = options.level;
}

void print(const ConvertOptions& options, const ConversionOutcome& outcome) {
  fmt::print("{}\n", options.request.output);
  for (const std::string& line : census_lines(outcome.census)) fmt::print("{}\n", line);
  if (options.level.empty()) log().warn("the level of theory is not recorded: say --level \"...\"");
}

int run(ConvertOptions& options) {
  const Communicator communicator;
  if (!communicator.root()) set_verbosity(Verbosity::quiet);
  try {
    complete(options);
    const ConversionOutcome outcome = convert(options.request, communicator);
    if (communicator.root()) print(options, outcome);
  } catch (const std::exception& error) {
    if (communicator.ranks() == 1) throw;
    communicator.abort(error.what());
  }
  return 0;
}

}  // namespace

Action setup_convert(CLI::App& app) {
  auto o = std::make_shared<ConvertOptions>();
  std::vector<std::string> known;
  for (const Format& format : formats()) known.push_back(fmt::format("{} ({})", format.name, format.help));
  app.add_option("IN", o->request.inputs, "Files to convert (of DeePMD: folders), in this order")->required();
  app.add_option("-o,--output", o->request.output,
                 "Data set to write (.h5; .shards: in several files), or extended xyz (.xyz)")
      ->required();
  app.add_option("--format", o->request.format,
                 fmt::format("Format of the input: {}; otherwise by extension", fmt::join(known, ", ")));
  app.add_option("--level", o->level, "Level of theory, kept in the data set: \"B3LYP/6-31G*\"");
  ReadOptions& read = o->request.read;
  app.add_option("--energy-key", read.energy_key,
                 "Entry with the total energy in eV (usual: energy); 'none': leave it out");
  app.add_option("--forces-key", read.forces_key, "Column with the forces in eV/Å (usual: forces, force)");
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
  app.add_option(
      "--split", o->split,
      "Divide into train, validation and test: structure, group (whole groups), pubchemqcr (whole groups, as the "
      "benchmark of PubChemQCR), or a file of ids (.json)");
  app.add_option("--split-ratios", o->rule.ratios, "Of train, validation and test: 0.8,0.1,0.1")->delimiter(',');
  app.add_option("--split-seed", o->rule.seed, "Which of the possible splits")->capture_default_str();
  app.add_option("--on-error", o->on_error, "What a bad entry does: stop, or skip (listed in OUTPUT.rejected.log)")
      ->capture_default_str();
  app.add_option("--part", o->request.entries_per_part,
                 "Entries that are converted before they are kept, for a conversion that goes on after an interruption")
      ->check(CLI::PositiveNumber);
  app.add_option("--shard", o->request.structures_per_shard,
                 "Structures in a file of an output that ends in .shards (default: a million)")
      ->check(CLI::PositiveNumber);
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
