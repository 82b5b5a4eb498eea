// SPDX-License-Identifier: MIT
#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace isotrope::app {

/// The option `--json [FILE]` that all commands with results share.
class JsonOutput {
 public:
  void add_to(CLI::App& options);
  bool wanted() const { return wanted_; }
  bool to_standard_output() const { return wanted_ && path_.empty(); }
  void write(const nlohmann::json& json) const;  ///< to the file, or to standard output where none is named

 private:
  bool wanted_ = false;
  std::string path_;
};

}  // namespace isotrope::app
