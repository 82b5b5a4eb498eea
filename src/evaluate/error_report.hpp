// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "evaluate/prediction.hpp"
#include "io/reader.hpp"

namespace isotrope {

enum class GroupBy { group, config_type, none };

/// Errors of a set of structures. Missing labels do not enter the means; how many there are is counted.
struct ErrorGroup {
  std::string name;
  std::int64_t structures = 0, atoms = 0;
  std::int64_t with_energy = 0, with_forces = 0, with_stress = 0;
  ErrorSums sums;

  void add(const Labels& labels, const Prediction& prediction, int g);
};

/// What evaluate_errors() finds, groups in the order in which they appear in the data.
struct ErrorReport {
  ErrorGroup total;
  std::vector<ErrorGroup> groups;  ///< empty where they are not asked for
};

/// Is shown every structure with what the potential says about it.
class PredictionSink {
 public:
  virtual ~PredictionSink() = default;
  virtual void add(std::int64_t index, const Structure& structure, const Prediction& prediction, int g,
                   std::int64_t first_atom) = 0;
};

/// Compares a potential with the labels of all structures of a reader, in batches of about `batch_atoms` atoms; memory
/// does not grow with the data. `where` is the name of the data in messages. Throws for an element that the model does
/// not know, naming the structure, and where no structure has a label. `sink` may be null.
ErrorReport evaluate_errors(const Potential& potential, StructureReader& reader, const std::string& where,
                            GroupBy group_by, int batch_atoms, PredictionSink* sink);

/// The keys of `isotrope evaluate --json` for one group, docs/json-output.md; null where there is no label.
nlohmann::json to_json(const ErrorGroup& group);
nlohmann::json to_json(const ErrorReport& report);
/// A row a group and one for the total: meV/atom, meV/Å, and GPa where stress is labelled.
std::string error_table(const ErrorReport& report);

}  // namespace isotrope
