// SPDX-License-Identifier: MIT
#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "core/error.hpp"
#include "core/log.hpp"
#include "train/run_record.hpp"

namespace isotrope {
namespace {

/// Ctrl-C and a queue's SIGTERM end a run after the present step, with its checkpoint and model.
volatile std::sig_atomic_t interrupted = 0;

class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = 0;
    for (int k = 0; k < 2; ++k) before_[k] = std::signal(signals[k], [](int) { interrupted = 1; });
  }
  ~InterruptGuard() {
    for (int k = 0; k < 2; ++k) std::signal(signals[k], before_[k]);
  }

 private:
  static constexpr int signals[2] = {SIGINT, SIGTERM};
  void (*before_[2])(int);
};

BatchSize batch_size(const TrainConfig& config) {
  return {config.batch_structures, config.batch_atoms, config.batch_edges};
}

/// The order of structures belongs to what a resumed run must share, where memory decides about it.
RunIdentity identity_of(const TrainConfig& config, const TrainingData& data, const BatchLoader& loader) {
  RunIdentity identity{identity_json(config), data.hashes};
  if (loader.order_depends_on_memory()) identity.config["data"]["memory"] = to_json(config)["data"]["memory"];
  return identity;
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const Communicator& communicator, const ModelFactory& models,
                 const TrainingData& data, const ModelRecord& record, const LoaderOptions& loading)
    : config_(config),
      communicator_(communicator),
      data_(data),
      record_(record),
      potential_(models.make(record, config.precision)),
      species_(record.elements),
      loader_(data.train, species_, record.cutoff, batch_size(config), loading),
      validation_loader_(data.validation, species_, record.cutoff, batch_size(config), loading),
      pass_(*potential_, config.loss),
      optimiser_(config.optimiser, record.parameters.size()),
      average_(config.ema_decay, record.parameters.values()),
      schedule_(config.schedule, config.optimiser.learning_rate),
      identity_(identity_of(config, data, loader_)) {
  state_.parameters = record.parameters.values();
}

void Trainer::restore(const std::string& checkpoint) {
  state_ = read_checkpoint(checkpoint, identity_, record_.parameters.size());
  optimiser_.restore(state_.optimiser);
  average_.restore(state_.average);
  schedule_.restore(state_.schedule);
  potential_->set_parameters(state_.parameters);
  seconds_before_ = seconds_agreed_ = last_point_seconds_ = state_.seconds;
  log().info("resumed from {}: epoch {}, step {}", checkpoint, state_.epoch, state_.step);
}

void Trainer::run() {
  InterruptGuard guard;
  log_ = std::make_unique<RunLog>(curve_path(config_), state_.step, !communicator_.root());
  plan_ = plan_epoch(state_.epoch);
  loader_.start(plan_, static_cast<int>(state_.batch));
  announce_next_epoch();
  while (!reached_limit()) {
    step(plan_->batch(static_cast<int>(state_.batch)));
    advance();
    if (is_due(config_.validate_every)) validate();
    if (is_due(config_.checkpoint_every)) save();
  }
  loader_.stop();
  save();
  log_.reset();
}

/// What is read next follows without a pause.
void Trainer::announce_next_epoch() {
  next_plan_.reset();
  if (config_.epochs > 0 && state_.epoch + 1 >= config_.epochs) return;
  next_plan_ = plan_epoch(state_.epoch + 1);
  loader_.follow_with(next_plan_);
}

/// One step of the optimiser on a batch that all ranks share.
void Trainer::step(std::span<const int> batch) {
  LossCounts counts;
  for (const int i : batch) counts += data_.train.counts(i);
  const Batch mine = loader_.next();

  const std::size_t n = state_.parameters.size();
  buffer_.assign(n + 3, 0.0);
  const std::span<double> gradient(buffer_.data(), n);
  buffer_[n] = pass_.add_gradient(mine, counts, gradient).total();
  if (communicator_.root()) {
    buffer_[n + 1] = seconds();
    buffer_[n + 2] = interrupted != 0 || (config_.time_limit > 0 && seconds() >= config_.time_limit);
  }
  communicator_.sum(buffer_);
  const double loss = buffer_[n];
  seconds_agreed_ = buffer_[n + 1];
  stop_ = buffer_[n + 2] > 0;

  const double norm = clip_gradient(gradient, config_.optimiser.gradient_clip);
  require(std::isfinite(loss) && std::isfinite(norm),
          "the loss or its gradient is not finite at step {} (epoch {}): lower optimiser.learning_rate, set "
          "optimiser.gradient_clip, or look for a wrong structure near {}",
          state_.step + 1, state_.epoch + 1, data_.train.where(batch.front()));
  optimiser_.step(state_.parameters, gradient, schedule_.learning_rate(position()));
  average_.update(state_.parameters);
  potential_->set_parameters(state_.parameters);
  state_.loss_sum += loss;
  structures_since_ += static_cast<double>(batch.size());
}

/// Counts the step, and the epoch where it was its last.
void Trainer::advance() {
  ++state_.step;
  ++state_.loss_steps;
  if (++state_.batch == plan_->batches()) {
    ++state_.epoch;
    state_.batch = 0;
    if (next_plan_) {
      plan_ = next_plan_;
      announce_next_epoch();
    }
  }
  log_->tick(fraction_done(), state_.step, state_.loss_sum / static_cast<double>(state_.loss_steps));
}

bool Trainer::is_due(const Interval& interval) const {
  if (interval.count == 0) return false;
  if (interval.unit == Interval::Unit::steps) return state_.step % interval.count == 0;
  return state_.batch == 0 && state_.epoch % interval.count == 0;
}

bool Trainer::reached_limit() const {
  return stop_ || (config_.epochs > 0 && state_.epoch >= config_.epochs) ||
         (config_.steps > 0 && state_.step >= config_.steps) ||
         (config_.time_limit > 0 && seconds_agreed_ >= config_.time_limit);
}

Trainer::Measured Trainer::measure(const std::vector<double>& parameters, BatchLoader& loader, const SampleSet& set) {
  LossCounts counts;
  for (int i = 0; i < set.size(); ++i) counts += set.counts(i);
  potential_->set_parameters(parameters);
  Measured measured;
  const BatchLoader::Plan plan = loader.in_order();
  loader.start(plan);
  for (int batch = 0; batch < plan->batches(); ++batch)
    measured.loss += pass_.measure(loader.next(), counts, measured.errors).total();
  loader.stop();
  potential_->set_parameters(state_.parameters);
  communicator_.sum({&measured.loss, 1});
  communicator_.sum(measured.errors.values());
  return measured;
}

/// The averaged weights on the validation structures; the best so far are kept.
void Trainer::validate() {
  CurvePoint point;
  point.validation_loss = std::nan("");
  if (!data_.validation.empty()) {
    const Measured measured = measure(average_.values(), validation_loader_, data_.validation);
    point.validation_loss = measured.loss;
    point.errors = measured.errors;
    schedule_.validated(measured.loss);
    if (measured.loss < state_.best.loss) state_.best = {measured.loss, state_.step, average_.values()};
  }
  point.step = state_.step;
  point.epoch = state_.epoch;
  point.seconds = seconds();
  point.learning_rate = schedule_.learning_rate(position());
  point.train_loss = state_.loss_sum / static_cast<double>(state_.loss_steps);
  point.structures_per_second = structures_since_ / std::max(point.seconds - last_point_seconds_, 1e-9);
  log_->point(point);
  last_point_seconds_ = seconds();
  structures_since_ = 0;
  state_.loss_sum = 0;
  state_.loss_steps = 0;
}

void Trainer::save() {
  state_.optimiser = optimiser_.state();
  state_.average = average_.state();
  state_.schedule = schedule_.state();
  state_.seconds = seconds();
  if (communicator_.root()) write_checkpoint(checkpoint_path(config_), identity_, state_);
}

ModelRecord Trainer::finish(const std::string& command) {
  // The last weights may be the best ones; that is decided here and not in the state, so that a longer run does not
  // depend on where a shorter one stopped.
  std::vector<double> kept = average_.values();
  std::int64_t kept_step = state_.step;
  Measured validation;
  if (!data_.validation.empty()) {
    validation = measure(kept, validation_loader_, data_.validation);
    if (state_.best.loss < validation.loss) {
      kept = state_.best.parameters;
      kept_step = state_.best.step;
      validation = measure(kept, validation_loader_, data_.validation);
    }
  }
  const Measured train = measure(kept, loader_, data_.train);
  record_.parameters.values() = kept;
  RunSummary summary{command, communicator_.ranks(), state_.epoch, state_.step, kept_step, seconds(), {}};
  summary.errors.push_back({"train", data_.train.size(), train.errors});
  if (!data_.validation.empty()) summary.errors.push_back({"validation", data_.validation.size(), validation.errors});
  log().info("kept the weights of step {} of {}:\n{}", kept_step, state_.step, error_table(summary));
  record_.training = training_record(config_, data_, summary);
  return record_;
}

double Trainer::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

RunPosition Trainer::position() const {
  const double within = static_cast<double>(state_.batch) / plan_->batches();
  return {state_.step, static_cast<double>(state_.epoch) + within, seconds_agreed_};
}

double Trainer::fraction_done() const {
  double done = 0;
  const RunPosition p = position();
  if (config_.epochs > 0) done = std::max(done, p.epochs / static_cast<double>(config_.epochs));
  if (config_.steps > 0) done = std::max(done, static_cast<double>(p.step) / static_cast<double>(config_.steps));
  if (config_.time_limit > 0) done = std::max(done, seconds() / config_.time_limit);
  return std::min(done, 1.0);
}

}  // namespace isotrope
