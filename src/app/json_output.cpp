// SPDX-License-Identifier: MIT
#include "app/json_output.hpp"

#include <fmt/format.h>

#include "core/atomic_file.hpp"

namespace isotrope::app {

void JsonOutput::add_to(CLI::App& options) {
  options
      .add_option_function<std::vector<std::string>>(
          "--json",
          [this](const std::vector<std::string>& values) {
            wanted_ = true;
            // CLI11 hands "{}" or "" to an option that is given without its value.
            if (!values.empty() && values[0] != "{}") path_ = values[0];
          },
          "Results as JSON, to a file or (last on the line, without FILE) to standard output")
      ->expected(0, 1)
      ->type_name("[FILE]");
}

void JsonOutput::write(const nlohmann::json& json) const {
  std::string text = json.dump(2) + "\n";
  if (path_.empty())
    fmt::print("{}", text);
  else
    write_text_file(path_, text);
}

}  // namespace isotrope::app
