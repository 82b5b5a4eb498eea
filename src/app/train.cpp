// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/kokkos_scope.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "train/trainer.hpp"

namespace isotrope::app {
namespace {

struct TrainOptions {
  std::string config, output;
  RunOptions run;
};

constexpr const char* example = R"(
A configuration (docs/training.md explains every key):

  data:
    train: ../../data/ethanol_train.h5             # relative to this file; a list is fine
    validation: {fraction: 0.1, seed: 1, by: structure}
    isolated_atoms: ../../data/isolated_atoms_b3lyp.h5   # or least_squares, training_set, {H: -13.6, ...}
  model: {architecture: mace, cutoff: 5.0, hidden_irreps: 32x0e+32x1o, correlation: 2}
  loss: {energy: 1, forces: 100}
  optimiser: {learning_rate: 0.01, amsgrad: true}
  schedule: {kind: plateau, factor: 0.8, patience: 10}
  ema: {decay: 0.99}
  batch: {structures: 5}
  epochs: 200                                      # or steps, or time_limit in seconds
  seed: 1
  precision: double
  output: ethanol.h5                               # relative to the current folder
  validate_every: 1 epochs
  checkpoint_every: 10 epochs

Beside the model lie its learning curve (ethanol.log.csv) and the checkpoint (ethanol.checkpoint.h5).
On several ranks: mpirun -n 2 isotrope train config.yaml)";

std::string command_line(const TrainOptions& options) {
  return fmt::format("isotrope train {}{}{}", options.config,
                     options.output.empty() ? "" : " --output " + options.output,
                     options.run.resume ? " --resume" : "");
}

void run_training(TrainOptions options, const Communicator& communicator) {
  TrainConfig config = read_config(options.config);
  if (!options.output.empty()) config.output = options.output;
  require(config.output.ends_with(".h5"), "--output: expected the name of a model file that ends in .h5, found '{}'",
          config.output);
  if (options.run.dry_run) log().info("{}\n", to_yaml(to_json(config)));
  options.run.command = command_line(options);
  train(config, options.run, communicator, {create_model, make_potential});
}

int train_command(const TrainOptions& options) {
  const Communicator communicator;
  if (!communicator.root()) set_verbosity(Verbosity::quiet);
  KokkosScope kokkos;
  if (communicator.ranks() == 1) {
    run_training(options, communicator);
    return 0;
  }
  try {
    run_training(options, communicator);
  } catch (const std::exception& error) {
    communicator.abort(error.what());
  }
  return 0;
}

}  // namespace

Action setup_train(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  app.add_option("config", options->config, "Training file (YAML)")->required();
  app.add_option("-o,--output", options->output, "Model file, instead of `output` of the training file");
  CLI::Option* resume = app.add_flag("--resume", options->run.resume, "Go on from the checkpoint");
  app.add_flag("--overwrite", options->run.overwrite, "Start afresh although there is a checkpoint")->excludes(resume);
  app.add_flag("--dry-run", options->run.dry_run,
               "Print the resolved configuration, labels, atomic energies and the size of the model, then stop");
  app.footer(example);
  return [options] { return train_command(*options); };
}

}  // namespace isotrope::app
