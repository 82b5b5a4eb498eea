// SPDX-License-Identifier: MIT
#include "evaluate/prediction_tables.hpp"

#include <fmt/format.h>

#include "core/elements.hpp"
#include "core/error.hpp"

namespace isotrope {
namespace {

std::string made_folder(const std::string& folder) {
  make_folder(folder);
  return folder;
}

/// A field of a CSV file: quoted where it has to be.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void finish(std::ofstream& out, AtomicFile& file) {
  out.close();
  require(!out.fail(), "cannot write {}: is the disk full?", file.path());
  file.commit();
}

}  // namespace

PredictionTables::PredictionTables(const std::string& folder, const PotentialInfo& info)
    : folder_(made_folder(folder)),
      info_(info),
      species_(info.elements),
      energies_file_(folder + "/energies.csv"),
      forces_file_(folder + "/forces.csv"),
      energies_(energies_file_.temporary(), std::ios::binary),
      forces_(forces_file_.temporary(), std::ios::binary) {
  energies_ << "structure,group,config_type,atoms,isolated_atoms_ev,reference_ev,predicted_ev\n";
  forces_ << "structure,group,atom,element,reference_x,reference_y,reference_z,predicted_x,predicted_y,predicted_z\n";
}

void PredictionTables::add(std::int64_t index, const Structure& s, const Prediction& p, int g,
                           std::int64_t first_atom) {
  double isolated = 0;
  for (const int number : s.numbers) isolated += info_.atomic_energies[species_(number)];
  const std::string group = field(s.group);
  energies_ << fmt::format("{},{},{},{},{},{},{}\n", index, group, field(s.config_type), s.size(), isolated,
                           s.energy ? fmt::format("{}", *s.energy) : "", p.energy[g]);
  for (int i = 0; i < s.size(); ++i) {
    const Vec3& f = p.forces[first_atom + i];
    const std::string reference =
        s.forces.empty() ? ",," : fmt::format("{},{},{}", s.forces[i][0], s.forces[i][1], s.forces[i][2]);
    forces_ << fmt::format("{},{},{},{},{},{},{},{}\n", index, group, i, element_symbol(s.numbers[i]), reference, f[0],
                           f[1], f[2]);
  }
}

void PredictionTables::commit(const nlohmann::json& summary) {
  finish(energies_, energies_file_);
  finish(forces_, forces_file_);
  write_text_file(folder_ + "/summary.json", summary.dump(2) + "\n");
}

}  // namespace isotrope
