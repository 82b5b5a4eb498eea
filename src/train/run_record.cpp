// SPDX-License-Identifier: MIT
#include "train/run_record.hpp"

#include <fmt/ranges.h>

#include <cmath>
#include <limits>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/version.hpp"

namespace isotrope {
namespace {

nlohmann::json errors_json(const SetErrors& set) {
  nlohmann::json json{{"structures", set.structures}};
  if (set.sums.energies > 0) {
    json["energy_mae_ev_per_atom"] = set.sums.energy_mae();
    json["energy_rmse_ev_per_atom"] = set.sums.energy_rmse();
  }
  if (set.sums.components > 0) {
    json["force_mae_ev_per_angstrom"] = set.sums.force_mae();
    json["force_rmse_ev_per_angstrom"] = set.sums.force_rmse();
  }
  if (set.sums.stresses > 0) json["stress_mae_ev_per_cubic_angstrom"] = set.sums.stress_mae();
  return json;
}

std::string cell(double value) {
  return std::isnan(value) ? std::string("-") : fmt::format("{:.3f}", 1e3 * value);
}

std::string counted(const char* label, std::int64_t with, std::int64_t all) {
  if (with == all) return fmt::format("{} all", label);
  if (with == 0) return fmt::format("{} none", label);
  return fmt::format("{} {} ({} missing)", label, with, all - with);
}

std::string set_lines(const char* name, const SampleSet& set, const SetStatistics& sums, const LoaderOptions& loading) {
  std::int64_t energies = 0, forces = 0, stresses = 0;
  int smallest = std::numeric_limits<int>::max(), largest = 0;
  for (const SampleEntry& entry : set.entries) {
    energies += (entry.labels & energy_bit) != 0;
    forces += (entry.labels & forces_bit) != 0;
    stresses += (entry.labels & stress_bit) != 0;
    smallest = std::min(smallest, entry.atoms);
    largest = std::max(largest, entry.atoms);
  }
  std::vector<std::string> elements;
  for (const int z : sums.elements()) elements.push_back(fmt::format("{} {:.0f}", element_symbol(z), sums.atoms_of[z]));
  return fmt::format(
      "{}\n  structures    {} ({} to {} atoms)\n  atoms         {:.0f}: {}\n  labels        {}, {}, {}\n  loading      "
      " {}\n",
      name, set.size(), smallest, largest, sums.atoms, fmt::join(elements, ", "),
      counted("energy", energies, set.size()), counted("forces", forces, set.size()),
      counted("stress", stresses, set.size()), describe_loading(set, loading));
}

}  // namespace

nlohmann::json training_record(const TrainConfig& config, const TrainingData& data, const RunSummary& summary) {
  nlohmann::json record{{"program", "isotrope"},      {"version", version()},   {"command", summary.command},
                        {"config", to_json(config)},  {"data", data.hashes},    {"ranks", summary.ranks},
                        {"epochs", summary.epochs},   {"steps", summary.steps}, {"kept_step", summary.kept_step},
                        {"seconds", summary.seconds}, {"seed", config.seed}};
  for (const SetErrors& set : summary.errors) record["errors"][set.set] = errors_json(set);
  return record;
}

std::string error_table(const RunSummary& summary) {
  std::string text = fmt::format("  {:<12}{:>11}{:>16}{:>10}{:>16}{:>10}\n", "", "structures", "E MAE meV/atom", "RMSE",
                                 "F MAE meV/Å", "RMSE");
  for (const SetErrors& set : summary.errors)
    text +=
        fmt::format("  {:<12}{:>11}{:>16}{:>10}{:>15}{:>10}\n", set.set, set.structures, cell(set.sums.energy_mae()),
                    cell(set.sums.energy_rmse()), cell(set.sums.force_mae()), cell(set.sums.force_rmse()));
  text.pop_back();
  return text;
}

std::string setup_report(const TrainingData& data, const SetStatistics& train, const SetStatistics& validation,
                         const AtomicEnergies& e0, const ModelRecord& record, const LoaderOptions& loading) {
  std::string text = set_lines("training structures", data.train, train, loading);
  if (!data.validation.empty()) text += set_lines("validation structures", data.validation, validation, loading);
  if (!data.isolated.empty()) text += fmt::format("  {} isolated atoms in the training files\n", data.isolated.size());
  text += fmt::format("atomic reference energies (eV) from {}\n", e0.source);
  for (std::size_t k = 0; k < e0.energies.size(); ++k)
    text += fmt::format("  {:<3}{:>18.6f}\n", element_symbol(train.elements()[k]), e0.energies[k]);
  if (!e0.unique) text += "  the compositions do not determine them all: the solution of least norm\n";
  text += fmt::format("  energies differ from their sums by {:.4f} eV/atom (root mean square)\n", e0.residual);
  text += fmt::format("forces: root mean square {:.4f} eV/Å; {:.2f} neighbours an atom within {} Å\n",
                      train.force_rms(), train.average_neighbours(), record.cutoff);
  text += fmt::format("model: {}, {} parameters", record.architecture, record.parameters.size());
  return text;
}

}  // namespace isotrope
