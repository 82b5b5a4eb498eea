// SPDX-License-Identifier: MIT
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "models/potential.hpp"

namespace isotrope::app {

/// What all commands share that use a model on data: `MODEL DATA [--precision single|double]`.
class ModelOptions {
 public:
  void add_to(CLI::App& options);
  ModelRecord read() const;                                     ///< the model file
  std::unique_ptr<Potential> load(const ModelRecord& r) const;  ///< in the precision asked for
  Precision precision() const;                                  ///< throws for another word
  /// For commands that let users choose: `--radial exact|tabulated`. `load` makes no tables.
  void add_radial_to(CLI::App& options, const std::string& standard);
  bool tabulated(bool standard) const;  ///< `standard` where the option is not given; throws for another word
  const std::string& precision_name() const { return precision_; }
  const std::string& model() const { return model_; }
  const std::string& data() const { return data_; }

 private:
  std::string model_, data_, precision_ = "double", forces_, radial_;
};

}  // namespace isotrope::app
