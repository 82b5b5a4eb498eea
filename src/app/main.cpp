// SPDX-License-Identifier: MIT
#include <cstdio>
#include <map>
#include <set>

#include "app/blas_kernels.hpp"
#include "app/commands.hpp"
#include "core/error.hpp"
#include "core/gemm.hpp"
#include "core/log.hpp"
#include "core/version.hpp"

namespace isotrope::app {
namespace {

constexpr int failure = 1;
constexpr int usage_error = 2;
/// Commands that gain nothing by a second start of the program.
const std::set<std::string> without_matrices = {"convert", "info"};

int report(const std::string& message, int status) {
  fmt::print(stderr, "isotrope: error: {}\n", message);
  return status;
}

int run(int argc, char** argv) {
  CLI::App parser("Machine-learned interatomic potentials: data, training, evaluation. In LAMMPS: pair_style isotrope.",
                  "isotrope");
  parser.set_version_flag("--version", fmt::format("isotrope {}", version()));
  parser.require_subcommand(1);
  bool quiet = false, verbose = false;
  CLI::Option* quiet_flag = parser.add_flag("-q,--quiet", quiet, "Warnings and errors only");
  parser.add_flag("-v,--verbose", verbose, "Say more")->excludes(quiet_flag);

  std::map<const CLI::App*, Action> actions;
  for (const Command& command : commands()) {
    CLI::App* subcommand = parser.add_subcommand(command.name, command.help);
    subcommand->fallthrough();
    actions[subcommand] = command.setup(*subcommand);
  }
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return parser.exit(error);  // --help, --version
    std::vector<CLI::App*> named = parser.get_subcommands();
    std::string context = named.empty() ? "" : named.front()->get_name() + " ";
    return report(fmt::format("{} (isotrope {}--help lists what there is)", error.what(), context), usage_error);
  }
  set_verbosity(quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal);
  const CLI::App* const chosen = parser.get_subcommands().front();
  if (!without_matrices.contains(chosen->get_name())) choose_blas_kernels(argv);
  use_one_blas_thread();
  return actions.at(chosen)();
}

}  // namespace
}  // namespace isotrope::app

int main(int argc, char** argv) {
  try {
    return isotrope::app::run(argc, argv);
  } catch (const std::exception& error) {
    return isotrope::app::report(error.what(), isotrope::app::failure);
  }
}
