// SPDX-License-Identifier: MIT
#include "evaluate/orbit_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/progress.hpp"

namespace isotrope {
namespace {

using Reference = OrbitErrors OrbitMeasurement::*;
using Quantity = std::vector<double> OrbitErrors::*;

OrbitSummary summary_of(const OrbitResult& result, Reference reference, Quantity quantity) {
  std::vector<std::vector<double>> errors;
  for (const OrbitMeasurement& m : result.structures) errors.push_back(m.*reference.*quantity);
  return summarise(errors);
}

nlohmann::json to_json(const OrbitSummary& s) {
  return {{"mean", s.mean}, {"max", s.max}, {"std", s.std}};
}

nlohmann::json to_json(const OrbitResult& result, Reference reference) {
  return {{"energy_ev", to_json(summary_of(result, reference, &OrbitErrors::energy))},
          {"force_ev_per_angstrom", to_json(summary_of(result, reference, &OrbitErrors::forces))}};
}

std::string cells(const OrbitSummary& s) {
  if (std::isnan(s.mean)) return fmt::format("{:>12}{:>10}{:>10}", "-", "-", "-");
  return fmt::format("{:>12.3g}{:>10.3g}{:>10.3g}", 1e3 * s.mean, 1e3 * s.max, 1e3 * s.std);
}

std::string row(const OrbitResult& result, const char* against, Reference reference) {
  return fmt::format("{:<13}{:>9}  {:<10}{}{}\n", result.orbit.name, result.orbit.elements.size(), against,
                     cells(summary_of(result, reference, &OrbitErrors::energy)),
                     cells(summary_of(result, reference, &OrbitErrors::forces)));
}

bool labelled(const OrbitResult& result) {
  for (const OrbitMeasurement& m : result.structures) {
    if (!m.labels.energy.empty() || !m.labels.forces.empty()) return true;
  }
  return false;
}

std::string field(const std::vector<double>& errors, std::size_t element) {
  return errors.empty() ? "" : fmt::format("{}", errors[element]);
}

std::string csv(const OrbitResult& result, const std::vector<IndexedStructure>& structures) {
  std::string text = fmt::format(
      "structure,{},energy_consensus_ev,force_consensus_ev_per_angstrom,energy_label_ev,force_label_ev_per_angstrom\n",
      fmt::join(result.orbit.axes, ","));
  for (std::size_t s = 0; s < structures.size(); ++s) {
    const OrbitMeasurement& m = result.structures[s];
    for (std::size_t k = 0; k < result.orbit.elements.size(); ++k) {
      text += fmt::format("{},{},{},{},{},{}\n", structures[s].index, fmt::join(result.orbit.elements[k].place, ","),
                          field(m.consensus.energy, k), field(m.consensus.forces, k), field(m.labels.energy, k),
                          field(m.labels.forces, k));
    }
  }
  return text;
}

}  // namespace

std::vector<OrbitResult> measure_orbits(const CheckedPotential& potential, const std::vector<Orbit>& orbits,
                                        const std::vector<IndexedStructure>& structures, const std::string& where) {
  Progress progress("orbits");
  double done = 0, work = 0;
  for (const Orbit& orbit : orbits) work += static_cast<double>(orbit.elements.size() * structures.size());
  std::vector<OrbitResult> results;
  for (const Orbit& orbit : orbits) {
    OrbitResult& result = results.emplace_back(OrbitResult{orbit, {}});
    for (const auto& [index, structure] : structures) {
      const std::string name = fmt::format("{}: structure {}", where, index);
      result.structures.push_back(measure_orbit(potential, orbit, {name, structure}));
      done += static_cast<double>(orbit.elements.size());
      if (progress.due()) progress.update(done / work, fmt::format("{} of structure {}", orbit.name, index));
    }
  }
  return results;
}

nlohmann::json to_json(const std::vector<OrbitResult>& results) {
  nlohmann::json groups = nlohmann::json::object();
  for (const OrbitResult& result : results) {
    nlohmann::json group = to_json(result, &OrbitMeasurement::consensus);
    group["against_labels"] = to_json(result, &OrbitMeasurement::labels);
    group["elements"] = result.orbit.elements.size();
    groups[result.orbit.name] = group;
  }
  return groups;
}

std::string orbit_table(const std::vector<OrbitResult>& results) {
  std::string text = fmt::format("{:<34}{:>32}{:>32}\n", "", "energy, meV", "forces, meV/Å");
  text += fmt::format("{:<13}{:>9}  {:<10}", "orbit", "elements", "against");
  for (int k = 0; k < 2; ++k) text += fmt::format("{:>12}{:>10}{:>10}", "mean", "max", "std");
  text += "\n";
  for (const OrbitResult& result : results) {
    text += row(result, "consensus", &OrbitMeasurement::consensus);
    if (labelled(result)) text += row(result, "labels", &OrbitMeasurement::labels);
  }
  return text;
}

void write_orbit_report(const std::string& folder, const std::vector<OrbitResult>& results,
                        const std::vector<IndexedStructure>& structures, const nlohmann::json& summary) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, "cannot make the folder {}: {}", folder, error.message());
  for (const OrbitResult& result : results)
    write_text_file(fmt::format("{}/{}.csv", folder, result.orbit.name), csv(result, structures));
  write_text_file(folder + "/summary.json", summary.dump(2) + "\n");
}

}  // namespace isotrope
