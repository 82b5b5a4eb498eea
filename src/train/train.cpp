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

void check_elements(const TrainingData& data, const std::vector<int>& elements) {
  const SpeciesMap known(elements);
  for (const Sample& sample : data.validation)
    for (int z : sample.structure.numbers)
      require(known.find(z) >= 0, "{}: a validation structure has {}, which no training structure has", sample.where(),
              element_symbol(z));
}

/// 0 where the architecture sees whole molecules.
double cutoff_of(const TrainConfig& config) {
  if (!config.model.contains("cutoff") && can_do_without_cutoff(config.model.value("architecture", ""))) return 0;
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

TrainingOutcome train(const TrainConfig& config, const RunOptions& options, const Communicator& communicator,
                      const ModelFactory& models) {
  return train(config, options, communicator, models, load_training_data(config.data, config.loss));
}

TrainingOutcome train(const TrainConfig& config, const RunOptions& options, const Communicator& communicator,
                      const ModelFactory& models, const TrainingData& data) {
  if (!options.dry_run) check_output(config, options);
  DataStatistics statistics;
  statistics.elements = elements_of(data.train);
  check_elements(data, statistics.elements);
  const AtomicEnergies e0 = find_atomic_energies(config.data, data, statistics.elements);
  statistics.atomic_energies = e0.energies;
  statistics.force_rms = force_rms(data.train);
  statistics.charges = charges_of(data.train);
  statistics.multiplicities = multiplicities_of(data.train);
  statistics.average_neighbours = average_neighbours(data.train, cutoff_of(config));
  ModelRecord record = models.create(config.model, statistics, config.seed);
  const PairFit pair = fit_pair_energy(record, data.train);
  if (pair.fitted) {
    log().info("pair potential fitted: forces of {:.3f} eV/Å leave {:.3f} eV/Å to the network", pair.force_rms_before,
               pair.force_rms_after);
  }
  log().info("{}", setup_report(data, statistics.elements, e0, statistics, record));
  if (options.dry_run) return {{}, record};

  communicator.barrier();  // the root writes the checkpoint whose absence every rank has just checked
  Trainer trainer(config, communicator, models, data, record);
  trainer.check_structures();
  if (options.resume) trainer.restore(checkpoint_path(config));
  trainer.run();
  TrainingOutcome outcome{trainer.state(), trainer.finish(options.command)};
  if (communicator.root()) write_model(config.output, outcome.record);
  log().info("wrote {}; learning curve: {}; checkpoint: {}", config.output, curve_path(config),
             checkpoint_path(config));
  return outcome;
}

}  // namespace isotrope
