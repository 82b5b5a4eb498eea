// SPDX-License-Identifier: MIT
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

namespace isotrope::app {

/// What a subcommand does once its options are read; the value is the exit status of the program. Failures throw Error.
using Action = std::function<int()>;

/// A subcommand: `setup` declares its options on the parser and hands back the action, which owns the option values.
struct Command {
  const char* name;
  const char* help;
  Action (*setup)(CLI::App& options);
};

Action setup_convert(CLI::App& app);
Action setup_info(CLI::App& app);
Action setup_train(CLI::App& app);
Action setup_evaluate(CLI::App& app);
Action setup_check(CLI::App& app);
Action setup_benchmark(CLI::App& app);
Action setup_tensor_products(CLI::App& app);

/// The subcommands in the order of the help page. A new one is a file src/app/NAME.cpp, its declaration and one line
/// here.
inline const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"convert", "Turn DFT data into a data set", setup_convert},
      {"info", "Describe a model or a data set", setup_info},
      {"train", "Train a potential on a data set", setup_train},
      {"evaluate", "Errors of a model against labelled data", setup_evaluate},
      {"check", "Test a model for what physics demands: forces = -dE/dx, rotation, smoothness, ...", setup_check},
      {"benchmark", "Time a model on one thread", setup_benchmark},
      {"tensor-products", "Compare equivariant products: time, cost, what they can express", setup_tensor_products},
  };
  return table;
}

}  // namespace isotrope::app
