// SPDX-License-Identifier: MIT
#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "core/error.hpp"
#include "core/log.hpp"
#include "evaluate/structure_source.hpp"
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
  return {config.batch_structures, config.batch_atoms};
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const Communicator& communicator, const ModelFactory& models,
                 const TrainingData& data, const ModelRecord& record)
    : config_(config),
      communicator_(communicator),
      data_(data),
      record_(record),
      potential_(models.make(record, config.precision)),
      species_(record.elements),
      loader_(data.train, species_, record.cutoff),
      validation_loader_(data.validation, species_, record.cutoff),
      pass_(*potential_, config.loss, config.equivariance, record.parameters),
      optimiser_(config.optimiser, record.parameters.size()),
      average_(config.ema_decay, record.parameters.values()),
      schedule_(config.schedule, config.optimiser.learning_rate),
      identity_{identity_json(config), data.hashes} {
  state_.parameters = record.parameters.values();
}

void Trainer::check_structures() const {
  for (const auto* samples : {&data_.train, &data_.validation}) {
    for (const Sample& sample : *samples)
      check_structure(sample.structure, potential_->info(), sample.file, sample.index);
  }
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
  plan_present_epoch();
  while (!reached_limit()) {
    step(plan_[state_.batch]);
    advance();
    if (is_due(config_.validate_every)) validate();
    if (is_due(config_.checkpoint_every)) save();
  }
  save();
  log_.reset();
}

void Trainer::plan_present_epoch() {
  plan_ = plan_epoch(loader_.sizes(), batch_size(config_), config_.seed, state_.epoch);
}

/// One step of the optimiser on a batch that all ranks share.
void Trainer::step(const Indices& batch) {
  LossCounts counts;
  for (int i : batch) counts += loss_counts(data_.train[i]);
  const auto share = [&](const Indices& all) {
    return share_of(all, loader_.sizes(), communicator_.rank(), communicator_.ranks());
  };
  const Views mine = make_views(loader_.load(share(batch)), config_.equivariance, config_.seed, state_.step);
  if (state_.batch + 1 < static_cast<std::int64_t>(plan_.size())) loader_.prefetch(share(plan_[state_.batch + 1]));

  const std::size_t n = state_.parameters.size();
  buffer_.assign(n + 3, 0.0);
  const std::span<double> gradient(buffer_.data(), n);
  buffer_[n] = pass_.add_gradient(mine, counts, state_.parameters, gradient).total();
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
          state_.step + 1, state_.epoch + 1, data_.train[batch.front()].where());
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
  if (++state_.batch == static_cast<std::int64_t>(plan_.size())) {
    ++state_.epoch;
    state_.batch = 0;
    plan_present_epoch();
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

Trainer::Measured Trainer::measure(const std::vector<double>& parameters, BatchLoader& loader,
                                   const std::vector<Sample>& samples) {
  LossCounts counts;
  for (const Sample& sample : samples) counts += loss_counts(sample);
  potential_->set_parameters(parameters);
  Measured measured;
  for (const Indices& batch : plan_in_order(loader.sizes(), batch_size(config_))) {
    const Batch mine = loader.load(share_of(batch, loader.sizes(), communicator_.rank(), communicator_.ranks()));
    measured.loss += pass_.measure(mine, counts, measured.errors).total();
  }
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
  summary.errors.push_back({"train", static_cast<int>(data_.train.size()), train.errors});
  if (!data_.validation.empty())
    summary.errors.push_back({"validation", static_cast<int>(data_.validation.size()), validation.errors});
  log().info("kept the weights of step {} of {}:\n{}", kept_step, state_.step, error_table(summary));
  record_.training = training_record(config_, data_, summary);
  return record_;
}

double Trainer::seconds() const {
  return seconds_before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

RunPosition Trainer::position() const {
  const double within = static_cast<double>(state_.batch) / static_cast<double>(plan_.size());
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
