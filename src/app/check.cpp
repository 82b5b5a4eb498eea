// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "app/model_options.hpp"
#include "core/error.hpp"
#include "evaluate/physics_checks.hpp"
#include "evaluate/structure_source.hpp"

namespace isotrope::app {
namespace {

using Verdict = CheckResult::Verdict;

struct CheckOptions {
  ModelOptions model;
  JsonOutput json;
  int structures = 5;
};

/// An imported model may have a shift or a self connection, and then atoms alone have an energy by design.
bool claims_isolated_atoms(const nlohmann::json& hyperparameters) {
  const auto zero = [](const nlohmann::json& x) { return x == 0; };
  const nlohmann::json shift = hyperparameters.value("shift", nlohmann::json(0));
  return !hyperparameters.value("first_residual", false) &&
         (shift.is_array() ? std::all_of(shift.begin(), shift.end(), zero) : zero(shift));
}

std::vector<NamedStructure> structures_to_check(const CheckOptions& options, const PotentialInfo& info) {
  const std::string& data = options.model.data();
  const auto more_than_an_atom = [](const Structure& s) { return s.size() > 1; };
  std::vector<NamedStructure> named;
  for (auto& [index, structure] : sample_structures(data, options.structures, more_than_an_atom)) {
    check_elements(structure, SpeciesMap(info.elements), data, index);
    check_fits_model(structure, info, data, index);
    named.push_back({fmt::format("structure {}", index), std::move(structure)});
  }
  require(!named.empty(), "{}: expected structures of two atoms or more, found none", data);
  return named;
}

/// All checks, and where the model has radial networks what tables in their place, which the pair style uses in single
/// precision, do to forces: in double precision, so that rounding stays out of it.
std::vector<CheckResult> results_of(const CheckOptions& options, const ModelRecord& record, const Potential& potential,
                                    const std::vector<NamedStructure>& structures) {
  auto results = check_physics(checked(potential, options.model.precision()), structures,
                               claims_isolated_atoms(record.hyperparameters));
  constexpr Precision precision = Precision::double_precision;
  const auto exact = make_potential(record, precision), tabulated = make_potential(record, precision);
  if (exact->info().forces == potential.info().forces && tabulated->tabulate_radial(default_table_tolerance)) {
    results.push_back(check_tables(checked(*exact, precision), checked(*tabulated, precision), structures));
  }
  return results;
}

const char* word(Verdict verdict) {
  return verdict == Verdict::pass ? "pass" : verdict == Verdict::fail ? "FAIL" : "note";
}

nlohmann::json to_json(const CheckResult& r) {
  return {{"name", r.name}, {"value", r.value}, {"bound", r.bound},
          {"unit", r.unit}, {"where", r.where}, {"verdict", word(r.verdict)}};
}

void print_table(const std::vector<CheckResult>& results) {
  fmt::print("{:<16}{:>9}  {:<8}  {:>9}  {:<6}{}\n", "check", "worst", "", "bound", "", "where");
  for (const CheckResult& r : results)
    fmt::print("{:<16}{:>9.1e}  {:<8}  {:>9.1e}  {:<6}{}\n", r.name, r.value, r.unit, r.bound, word(r.verdict),
               r.where);
}

int run(const CheckOptions& options) {
  require(options.structures > 0, "--structures: expected 1 or more, found {}", options.structures);
  KokkosScope kokkos;
  const ModelRecord record = options.model.read();
  const auto potential = options.model.load(record);
  const auto structures = structures_to_check(options, potential->info());
  const auto results = results_of(options, record, *potential, structures);
  const bool passed =
      std::none_of(results.begin(), results.end(), [](const CheckResult& r) { return r.verdict == Verdict::fail; });
  if (options.json.wanted()) {
    nlohmann::json json = {{"model", options.model.model()},
                           {"data", options.model.data()},
                           {"precision", options.model.precision_name()},
                           {"structures", structures.size()},
                           {"passed", passed},
                           {"checks", nlohmann::json::array()}};
    for (const CheckResult& r : results) json["checks"].push_back(to_json(r));
    options.json.write(json);
  }
  if (!options.json.to_standard_output()) print_table(results);
  return passed ? 0 : 1;
}

}  // namespace

Action setup_check(CLI::App& app) {
  auto o = std::make_shared<CheckOptions>();
  o->model.add_to(app);
  o->json.add_to(app);
  app.add_option("--structures", o->structures, "How many structures of DATA, spread evenly")->capture_default_str();
  app.footer("Exit status 1 where a check fails. 'note': the model does not claim that property.");
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
