// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <limits>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "app/model_options.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "evaluate/orbit_report.hpp"
#include "evaluate/structure_source.hpp"

namespace isotrope::app {
namespace {

struct OrbitOptions {
  ModelOptions model;
  JsonOutput json;
  std::string report;
  int structures = 10, step = 10;
};

std::vector<IndexedStructure> structures_of(const OrbitOptions& options, const PotentialInfo& info) {
  const std::string& data = options.model.data();
  const int count = options.structures == 0 ? std::numeric_limits<int>::max() / 2 : options.structures;
  auto structures = sample_structures(data, count, [](const Structure& s) { return s.size() > 1; });
  require(!structures.empty(), "{}: expected structures of two atoms or more, found none", data);
  for (const auto& [index, structure] : structures) {
    check_elements(structure, SpeciesMap(info.elements), data, index);
    check_fits_model(structure, info, data, index);
  }
  return structures;
}

int run(const OrbitOptions& options) {
  require(options.structures >= 0, "--structures: expected 0 (all) or more, found {}", options.structures);
  const std::vector<Orbit> orbits = all_orbits(options.step);
  KokkosScope kokkos;
  const auto potential = options.model.load(options.model.read());
  const auto structures = structures_of(options, potential->info());
  const auto results =
      measure_orbits(checked(*potential, options.model.precision()), orbits, structures, options.model.data());
  const nlohmann::json json = {
      {"model", options.model.model()},  {"data", options.model.data()}, {"precision", options.model.precision_name()},
      {"structures", structures.size()}, {"step_degrees", options.step}, {"groups", to_json(results)}};
  if (!options.report.empty()) write_orbit_report(options.report, results, structures, json);
  if (options.json.wanted()) options.json.write(json);
  if (!options.json.to_standard_output()) fmt::print("{}", orbit_table(results));
  if (!options.report.empty())
    log().info("{}: a CSV file an orbit, summary.json (scripts/plot_orbit.py draws them)", options.report);
  return 0;
}

}  // namespace

Action setup_orbit(CLI::App& app) {
  auto o = std::make_shared<OrbitOptions>();
  o->model.add_to(app);
  o->json.add_to(app);
  app.add_option("--report", o->report, "Folder for a CSV file an orbit and summary.json")->type_name("DIR");
  app.add_option("--structures", o->structures, "How many structures of DATA, spread evenly; 0: all")
      ->capture_default_str();
  app.add_option("--step", o->step, "Of rotation axes, angles and mirror planes, degrees")->capture_default_str();
  app.footer("Differences are from the consensus, the mean over the orbit; where there are labels, also from them.");
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
