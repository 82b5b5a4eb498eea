// SPDX-License-Identifier: MIT
#include "train/run_record.hpp"

#include <cmath>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/version.hpp"
#include "io/census.hpp"

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

std::string census_lines(const char* name, const std::vector<Sample>& samples) {
  Census census;
  for (const Sample& sample : samples) census.add(sample.structure);
  std::string text = fmt::format("{}\n", name);
  for (const std::string& line : census.lines()) text += "  " + line + '\n';
  return text;
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

std::string setup_report(const TrainingData& data, const std::vector<int>& elements, const AtomicEnergies& e0,
                         const DataStatistics& statistics, const ModelRecord& record) {
  std::string text = census_lines("training structures", data.train);
  if (!data.validation.empty()) text += census_lines("validation structures", data.validation);
  if (!data.isolated.empty()) text += fmt::format("  {} isolated atoms in the training files\n", data.isolated.size());
  text += fmt::format("atomic reference energies (eV) from {}\n", e0.source);
  for (std::size_t k = 0; k < elements.size(); ++k)
    text += fmt::format("  {:<3}{:>18.6f}\n", element_symbol(elements[k]), e0.energies[k]);
  if (!e0.unique) text += "  the compositions do not determine them all: the solution of least norm\n";
  text += fmt::format("  energies differ from their sums by {:.4f} eV/atom (root mean square)\n", e0.residual);
  text += fmt::format("forces: root mean square {:.4f} eV/Å", statistics.force_rms);
  if (record.cutoff > 0)
    text += fmt::format("; {:.2f} neighbours an atom within {} Å", statistics.average_neighbours, record.cutoff);
  text += "\n";
  text += fmt::format("model: {}, {} parameters", record.architecture, record.parameters.size());
  return text;
}

}  // namespace isotrope
