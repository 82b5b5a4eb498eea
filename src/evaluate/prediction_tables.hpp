// SPDX-License-Identifier: MIT
#pragma once
#include <fstream>
#include <string>

#include "core/atomic_file.hpp"
#include "evaluate/error_report.hpp"

namespace isotrope {

/// Writes what parity plots need into a folder, docs/command-line.md: energies.csv (a row a structure), forces.csv (a
/// row an atom) and summary.json. Labels that are missing are empty fields. Nothing appears without commit().
class PredictionTables final : public PredictionSink {
 public:
  /// Makes the folder where it does not exist.
  PredictionTables(const std::string& folder, const PotentialInfo& info);
  void add(std::int64_t index, const Structure& structure, const Prediction& prediction, int g,
           std::int64_t first_atom) override;
  void commit(const nlohmann::json& summary);

 private:
  std::string folder_;
  PotentialInfo info_;
  SpeciesMap species_;
  AtomicFile energies_file_, forces_file_;
  std::ofstream energies_, forces_;
};

}  // namespace isotrope
