// SPDX-License-Identifier: MIT
#include "evaluate/error_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/progress.hpp"
#include "core/units.hpp"
#include "evaluate/structure_source.hpp"

namespace isotrope {
namespace {

std::string name_of(const Structure& s, GroupBy by) {
  const std::string& name = by == GroupBy::config_type ? s.config_type : s.group;
  return name.empty() ? "(none)" : name;
}

ErrorGroup& group_named(std::vector<ErrorGroup>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const ErrorGroup& g) { return g.name == name; });
  if (found != groups.end()) return *found;
  groups.emplace_back().name = name;
  return groups.back();
}

/// The structures of a reader, a few at a time.
class BatchSource {
 public:
  BatchSource(StructureReader& reader, int atoms) : reader_(reader), atoms_(atoms) { more_ = reader_.next(next_); }

  /// False at the end. A structure larger than `atoms` comes alone.
  bool next(std::vector<Structure>& batch) {
    batch.clear();
    for (int atoms = 0; more_ && (batch.empty() || atoms + next_.size() <= atoms_); more_ = reader_.next(next_)) {
      atoms += next_.size();
      batch.push_back(std::move(next_));
      next_ = {};
    }
    return !batch.empty();
  }

 private:
  StructureReader& reader_;
  int atoms_;
  Structure next_;
  bool more_;
};

void require_labels(const ErrorGroup& total, const std::string& where) {
  require(total.structures > 0, "{}: expected structures, found none", where);
  require(total.with_energy + total.with_forces + total.with_stress > 0,
          "{}: none of its {} structures has energy, forces or stress: nothing to compare with", where,
          total.structures);
}

/// A number that is not finite would turn every mean into null.
void check_prediction(const Labels& labels, const Prediction& p, int g, const std::string& where, std::int64_t index) {
  bool finite = std::isfinite(p.energy[g]);
  for (int i = labels.first_atom[g]; i < labels.first_atom[g + 1]; ++i)
    finite &= std::isfinite(dot(p.forces[i], p.forces[i]));
  require(finite, "{}: structure {}: the model's energy or forces are NaN or infinite", where, index);
}

double in_gpa(double ev_per_cubic_angstrom) {
  return ev_per_cubic_angstrom * units::ev_per_cubic_angstrom_in_bar * 1e-4;
}

std::string cell(double value, double factor) {
  return std::isnan(value) ? "-" : fmt::format("{:.3f}", factor * value);
}

std::string row(const ErrorGroup& g, std::size_t width, bool stress) {
  const ErrorSums& s = g.sums;
  std::string text =
      fmt::format("{:<{}}{:>11}{:>13}{:>13}{:>13}{:>13}", g.name, width, g.structures, cell(s.energy_mae(), 1e3),
                  cell(s.energy_rmse(), 1e3), cell(s.force_mae(), 1e3), cell(s.force_rmse(), 1e3));
  if (stress) text += fmt::format("{:>13}{:>13}", cell(in_gpa(s.stress_mae()), 1), cell(in_gpa(s.stress_rmse()), 1));
  return text + "\n";
}

}  // namespace

void ErrorGroup::add(const Labels& labels, const Prediction& prediction, int g) {
  structures += 1;
  atoms += labels.first_atom[g + 1] - labels.first_atom[g];
  with_energy += labels.has_energy[g];
  with_forces += labels.has_forces[g];
  with_stress += labels.has_stress[g];
  sums.add(labels, prediction, g);
}

ErrorReport evaluate_errors(const Potential& potential, StructureReader& reader, const std::string& where,
                            GroupBy group_by, int batch_atoms, PredictionSink* sink) {
  Predictor predict(potential);
  ErrorReport report;
  report.total.name = "total";
  Progress progress(where);
  BatchSource source(reader, batch_atoms);
  std::vector<Structure> batch;
  std::vector<const Structure*> pointers;
  while (source.next(batch)) {
    Labels labels;
    pointers.clear();
    for (const Structure& s : batch) {
      const std::int64_t index = report.total.structures + static_cast<std::int64_t>(pointers.size());
      check_elements(s, predict.species(), where, index);
      check_fits_model(s, potential.info(), where, index);
      labels.append(s, 1);
      pointers.push_back(&s);
    }
    const Prediction& prediction = predict(pointers);
    for (int g = 0; g < labels.graphs(); ++g) {
      check_prediction(labels, prediction, g, where, report.total.structures);
      if (sink) sink->add(report.total.structures, batch[g], prediction, g, labels.first_atom[g]);
      report.total.add(labels, prediction, g);
      if (group_by != GroupBy::none) group_named(report.groups, name_of(batch[g], group_by)).add(labels, prediction, g);
    }
    if (progress.due()) progress.update(reader.progress(), fmt::format("{} structures", report.total.structures));
  }
  require_labels(report.total, where);
  return report;
}

nlohmann::json to_json(const ErrorGroup& g) {
  const ErrorSums& s = g.sums;
  return {{"structures", g.structures},
          {"atoms", g.atoms},
          {"labels", {{"energy", g.with_energy}, {"forces", g.with_forces}, {"stress", g.with_stress}}},
          {"energy_mae_ev_per_atom", s.energy_mae()},
          {"energy_rmse_ev_per_atom", s.energy_rmse()},
          {"energy_rmse_ev", s.energy_total_rmse()},
          {"force_mae_ev_per_angstrom", s.force_mae()},
          {"force_rmse_ev_per_angstrom", s.force_rmse()},
          {"stress_mae_ev_per_cubic_angstrom", s.stress_mae()},
          {"stress_rmse_ev_per_cubic_angstrom", s.stress_rmse()}};
}

nlohmann::json to_json(const ErrorReport& report) {
  nlohmann::json json = to_json(report.total);
  json["groups"] = nlohmann::json::object();
  for (const ErrorGroup& group : report.groups) json["groups"][group.name] = to_json(group);
  return json;
}

std::string error_table(const ErrorReport& report) {
  const bool stress = report.total.with_stress > 0;
  std::size_t width = report.total.name.size();
  for (const ErrorGroup& group : report.groups) width = std::max(width, group.name.size());
  width += 2;
  std::string text = fmt::format("{:<{}}{:>11}{:>26}{:>26}", "", width, "", "energy, meV/atom", "forces, meV/Å");
  if (stress) text += fmt::format("{:>26}", "stress, GPa");
  text += fmt::format("\n{:<{}}{:>11}{:>13}{:>13}{:>13}{:>13}", "", width, "structures", "MAE", "RMSE", "MAE", "RMSE");
  if (stress) text += fmt::format("{:>13}{:>13}", "MAE", "RMSE");
  text += "\n";
  const bool one = report.groups.size() == 1;  // the same numbers as the total
  for (const ErrorGroup& group : report.groups) {
    if (!one || group.name != "(none)") text += row(group, width, stress);
  }
  return text + row(report.total, width, stress);
}

}  // namespace isotrope
