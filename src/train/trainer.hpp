// SPDX-License-Identifier: MIT
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "parallel/communicator.hpp"
#include "train/batches.hpp"
#include "train/checkpoint.hpp"
#include "train/loss_pass.hpp"
#include "train/run_log.hpp"
#include "train/statistics.hpp"

namespace isotrope {

/// Where potentials come from: the registry, or a test's own.
struct ModelFactory {
  std::function<ModelRecord(const nlohmann::json&, const DataStatistics&, std::uint64_t seed)> create;
  std::function<std::unique_ptr<Potential>(const ModelRecord&, Precision)> make;
};

struct RunOptions {
  bool resume = false;
  bool dry_run = false;
  bool overwrite = false;  ///< start afresh although there is a checkpoint
  bool may_cache = true;   ///< off: stream structures although their graphs would fit into memory
  std::string command;     ///< for the training record
};

/// What a run left: the files have the same.
struct TrainingOutcome {
  TrainingState state;
  ModelRecord record;  ///< the best averaged weights by validation loss; without validation the last
};

/// Files beside the model "x.h5": "x.checkpoint.h5" and "x.log.csv".
std::string checkpoint_path(const TrainConfig& config);
std::string curve_path(const TrainConfig& config);

/// The whole of training. Every rank calls it.
TrainingOutcome train(const TrainConfig& config, const RunOptions& options, const Communicator& communicator,
                      const ModelFactory& models, const OpenSource& open = open_source);
/// What the loader of a rank may use.
LoaderOptions loader_options(const TrainConfig& config, const Communicator& communicator);

/// The loop: steps, validations, checkpoints.
class Trainer {
 public:
  Trainer(const TrainConfig& config, const Communicator& communicator, const ModelFactory& models,
          const TrainingData& data, const ModelRecord& record, const LoaderOptions& loading);

  void restore(const std::string& checkpoint);
  void run();
  /// The weights to keep, with their errors.
  ModelRecord finish(const std::string& command);
  const TrainingState& state() const { return state_; }

 private:
  struct Measured {
    double loss = 0;
    ErrorSums errors;
  };

  void announce_next_epoch();
  BatchLoader::Plan plan_epoch(std::int64_t epoch) const { return loader_.shuffled(config_.seed, epoch); }
  void step(std::span<const int> batch);
  void advance();
  Measured measure(const std::vector<double>& parameters, BatchLoader& loader, const SampleSet& set);
  void validate();
  void save();
  bool is_due(const Interval& interval) const;
  bool reached_limit() const;
  double seconds() const;
  RunPosition position() const;
  double fraction_done() const;

  const TrainConfig& config_;
  const Communicator& communicator_;
  const TrainingData& data_;
  ModelRecord record_;
  std::unique_ptr<Potential> potential_;
  SpeciesMap species_;
  BatchLoader loader_, validation_loader_;
  LossPass pass_;
  Adam optimiser_;
  MovingAverage average_;
  Schedule schedule_;
  RunIdentity identity_;
  TrainingState state_;
  BatchLoader::Plan plan_, next_plan_;  ///< batches of the present epoch and of the next one, which is none at the end
  std::vector<double> buffer_;          ///< what one step sums over ranks: gradient, then loss, clock, stop
  std::unique_ptr<RunLog> log_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double seconds_before_ = 0;  ///< of earlier parts of the run
  double seconds_agreed_ = 0;  ///< the root's clock at the last step: ranks must not differ on it
  double last_point_seconds_ = 0;
  double structures_since_ = 0;
  bool stop_ = false;
};

}  // namespace isotrope
