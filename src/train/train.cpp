// SPDX-License-Identifier: MIT
// The story of a training run; its parts are in the files named after them.
#include <filesystem>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "io/model_file.hpp"
#include "train/pair_fit.hpp"
#include "train/run_record.hpp"
#include "train/trainer.hpp"

namespace isotrope {
namespace {

std::string sibling(const std::string& model_path, const char* ending) {
  return std::filesystem::path(model_path).replace_extension(ending).string();
}

/// Fails now rather than after hours of training.
void check_output(const TrainConfig& config, const RunOptions& options) {
  const auto folder = std::filesystem::path(config.output).parent_path();
  require(folder.empty() || std::filesystem::is_directory(folder), "output: the folder '{}' does not exist; create it",
          folder.string());
  const std::string checkpoint = checkpoint_path(config);
  require(options.resume || options.overwrite || !std::filesystem::exists(checkpoint),
          "there is a checkpoint of an earlier run, '{}': go on with --resume, start afresh with --overwrite, or name "
          "another "
          "output",
          checkpoint);
}

double cutoff_of(const TrainConfig& config) {
  const auto entry = config.model.find("cutoff");
  require(entry != config.model.end() && entry->is_number() && entry->get<double>() > 0,
          "{}: model.cutoff: expected a length above 0 in Å", config.file);
  return entry->get<double>();
}

}  // namespace

std::string checkpoint_path(const TrainConfig& config) {
  return sibling(config.output, ".checkpoint.h5");
}
std::string curve_path(const TrainConfig& config) {
  return sibling(config.output, ".log.csv");
}

LoaderOptions loader_options(const TrainConfig& config, const Communicator& communicator) {
  return {config.data.memory, config.data.workers, communicator.rank(), communicator.ranks()};
}

TrainingOutcome train(const TrainConfig& config, const RunOptions& options, const Communicator& communicator,
                      const ModelFactory& models, const OpenSource& open) {
  if (!options.dry_run) check_output(config, options);
  const double cutoff = cutoff_of(config);
  LoaderOptions loading = loader_options(config, communicator);
  loading.may_cache = options.may_cache;
  TrainingData data = find_training_data(config.data, config.loss, open);
  check_contents(data, communicator.rank(), communicator.ranks());
  const SetStatistics sums = scan(data.train, cutoff, loading, communicator);
  const SetStatistics validation = scan(data.validation, cutoff, loading, communicator, sums.elements());
  const AtomicEnergies e0 = find_atomic_energies(config.data, data, sums);
  const DataStatistics statistics{sums.elements(), e0.energies, sums.average_neighbours(), sums.force_rms()};
  ModelRecord record = models.create(config.model, statistics, config.seed);
  const PairFit pair = fit_pair_energy(record, data.train, loading, communicator);
  if (pair.fitted) {
    log().info("pair potential fitted: forces of {:.3f} eV/Å leave {:.3f} eV/Å to the network", pair.force_rms_before,
               pair.force_rms_after);
  }
  log().info("{}", setup_report(data, sums, validation, e0, record, loading));
  if (options.dry_run) return {{}, record};

  communicator.barrier();  // the root writes the checkpoint whose absence every rank has just checked
  Trainer trainer(config, communicator, models, data, record, loading);
  if (options.resume) trainer.restore(checkpoint_path(config));
  trainer.run();
  TrainingOutcome outcome{trainer.state(), trainer.finish(options.command)};
  if (communicator.root()) write_model(config.output, outcome.record);
  log().info("wrote {}; learning curve: {}; checkpoint: {}", config.output, curve_path(config),
             checkpoint_path(config));
  return outcome;
}

}  // namespace isotrope
