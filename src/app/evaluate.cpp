// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "app/model_options.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "evaluate/error_report.hpp"
#include "evaluate/prediction_tables.hpp"

namespace isotrope::app {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  JsonOutput json;
  std::string report, group_by = "group";
  int batch_atoms = 1000;
};

GroupBy group_by(const std::string& word) {
  if (word == "group") return GroupBy::group;
  if (word == "config_type") return GroupBy::config_type;
  require(word == "none", "--group-by: expected 'group', 'config_type' or 'none', found '{}'", word);
  return GroupBy::none;
}

/// Says which structures could not be compared.
void report_missing(const ErrorGroup& total) {
  const auto say = [&](const char* label, std::int64_t labelled) {
    if (labelled == total.structures) return;
    log().warn("{} of {} structures have no {}: they do not enter its errors", total.structures - labelled,
               total.structures, label);
  };
  say("energy", total.with_energy);
  say("forces", total.with_forces);
  if (total.with_stress > 0) say("stress", total.with_stress);
}

int run(const EvaluateOptions& options) {
  const GroupBy by = group_by(options.group_by);
  require(options.batch_atoms > 0, "--batch-atoms: expected 1 or more, found {}", options.batch_atoms);
  KokkosScope kokkos;
  const std::string &model = options.model.model(), &data = options.model.data();
  const auto potential = options.model.load(options.model.read());
  const bool tables_made =
      options.model.tabulated(false) && potential->tabulate_radial(default_table_tolerance).has_value();
  const auto reader = open_reader(data, "", {});
  std::unique_ptr<PredictionTables> tables;
  if (!options.report.empty()) tables = std::make_unique<PredictionTables>(options.report, potential->info());
  const ErrorReport report = evaluate_errors(*potential, *reader, data, by, options.batch_atoms, tables.get());

  nlohmann::json json = to_json(report);
  json["model"] = model;
  json["data"] = data;
  json["precision"] = options.model.precision_name();
  json["radial"] = tables_made ? "tabulated" : "exact";
  report_missing(report.total);
  if (tables) tables->commit(json);
  if (options.json.wanted()) options.json.write(json);
  if (!options.json.to_standard_output()) fmt::print("{}", error_table(report));
  if (tables)
    log().info("{}: energies.csv, forces.csv, summary.json (scripts/plot_parity.py draws them)", options.report);
  return 0;
}

}  // namespace

Action setup_evaluate(CLI::App& app) {
  auto o = std::make_shared<EvaluateOptions>();
  o->model.add_to(app);
  o->model.add_radial_to(app, "exact");
  o->json.add_to(app);
  app.add_option("--report", o->report, "Folder for energies.csv, forces.csv and summary.json")->type_name("DIR");
  app.add_option("--group-by", o->group_by, "One row for each: group, config_type or none")->capture_default_str();
  app.add_option("--batch-atoms", o->batch_atoms, "Atoms evaluated at a time")->capture_default_str();
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
