// SPDX-License-Identifier: MIT
#include <yaml-cpp/yaml.h>

#include "core/error.hpp"
#include "train/config.hpp"

namespace isotrope {
namespace {

using Json = nlohmann::ordered_json;

Json files_json(const std::vector<DataFile>& files) {
  Json json = Json::array();
  for (const DataFile& file : files) {
    if (file.split.empty())
      json.push_back(file.file);
    else
      json.push_back(Json{{"file", file.file}, {"split", file.split}});
  }
  return json;
}

Json validation_json(const DataConfig& data) {
  if (!data.validation.empty()) return files_json(data.validation);
  if (data.validation_fraction == 0) return "none";
  Json json{{"fraction", data.validation_fraction}, {"seed", data.validation_seed}};
  if (data.split_is_stated) json["by"] = data.validation_by_group ? "group" : "structure";
  return json;
}

Json atomic_energies_json(const DataConfig& data) {
  switch (data.atomic_energies) {
    case DataConfig::AtomicEnergies::file:
      return data.isolated_atoms;
    case DataConfig::AtomicEnergies::training_set:
      return "training_set";
    case DataConfig::AtomicEnergies::table:
      return data.e0_table;
    default:
      return "least_squares";
  }
}

Json data_json(const DataConfig& data) {
  Json json;
  json["train"] = files_json(data.train);
  json["validation"] = validation_json(data);
  json["isolated_atoms"] = atomic_energies_json(data);
  json["train_on_isolated_atoms"] = data.train_on_isolated_atoms;
  json["weights"] = Json::object();
  for (const auto& [type, weight] : data.weights) json["weights"][type] = weight;
  json["allow_missing"] = Json::array();
  if (data.missing_energy) json["allow_missing"].push_back("energy");
  if (data.missing_forces) json["allow_missing"].push_back("forces");
  if (data.missing_stress) json["allow_missing"].push_back("stress");
  return json;
}

Json penalty_json(const PenaltyConfig& penalty) {
  switch (penalty.kind) {
    case PenaltyConfig::Kind::mae:
      return {{"kind", "mae"}};
    case PenaltyConfig::Kind::norm:
      return {{"kind", "norm"}};
    case PenaltyConfig::Kind::rmse:
      return {{"kind", "rmse"}};
    case PenaltyConfig::Kind::huber:
      return {{"kind", "huber"}, {"delta", penalty.delta}};
    default:
      return {{"kind", "mse"}};
  }
}

Json schedule_json(const ScheduleConfig& schedule) {
  static const char* const units[] = {"steps", "epochs", "seconds"};
  const char* unit = units[static_cast<int>(schedule.unit)];
  const int warmup = schedule.warmup_steps;
  switch (schedule.kind) {
    case ScheduleConfig::Kind::plateau:
      return {{"kind", "plateau"},
              {"warmup_steps", warmup},
              {"factor", schedule.factor},
              {"patience", schedule.patience},
              {"minimum", schedule.minimum}};
    case ScheduleConfig::Kind::cosine:
      return {{"kind", "cosine"},
              {"warmup_steps", warmup},
              {"length", schedule.length},
              {"unit", unit},
              {"minimum", schedule.minimum}};
    case ScheduleConfig::Kind::exponential:
      return {{"kind", "exponential"},
              {"warmup_steps", warmup},
              {"factor", schedule.factor},
              {"unit", unit},
              {"minimum", schedule.minimum}};
    default:
      return {{"kind", "constant"}, {"warmup_steps", warmup}};
  }
}

std::string memory_text(std::size_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes >= std::size_t{1} << 30) return fmt::format("{} GiB", number / 0x1p30);
  if (bytes >= std::size_t{1} << 20) return fmt::format("{} MiB", number / 0x1p20);
  return fmt::format("{} KiB", number / 0x1p10);
}

std::string interval_text(const Interval& interval) {
  if (interval.count == 0) return "never";
  return fmt::format("{} {}", interval.count, interval.unit == Interval::Unit::epochs ? "epochs" : "steps");
}

void emit(YAML::Emitter& out, const Json& json) {
  if (json.is_object()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, value);
    }
    out << YAML::EndMap;
  } else if (json.is_array()) {
    out << YAML::Flow << YAML::BeginSeq;
    for (const auto& item : json) emit(out, item);
    out << YAML::EndSeq;
  } else if (json.is_string()) {
    out << json.get<std::string>();
  } else {
    out << json.dump();
  }
}

}  // namespace

Json identity_json(const TrainConfig& config) {
  Json json;
  json["data"] = data_json(config.data);
  json["model"] = config.model;
  const LossConfig& loss = config.loss;
  json["loss"] = {{"energy", loss.energy},
                  {"forces", loss.forces},
                  {"stress", loss.stress},
                  {"direct_forces", loss.direct_forces},
                  {"energy_of", loss.energy_per_atom ? "atom" : "structure"},
                  {"energy_penalty", penalty_json(loss.energy_penalty)},
                  {"forces_penalty", penalty_json(loss.forces_penalty)},
                  {"stress_penalty", penalty_json(loss.stress_penalty)}};
  const OptimiserConfig& optimiser = config.optimiser;
  json["optimiser"] = {{"kind", optimiser.decoupled_decay ? "adamw" : "adam"},
                       {"learning_rate", optimiser.learning_rate},
                       {"betas", {optimiser.beta1, optimiser.beta2}},
                       {"epsilon", optimiser.epsilon},
                       {"weight_decay", optimiser.weight_decay},
                       {"amsgrad", optimiser.amsgrad},
                       {"gradient_clip", optimiser.gradient_clip}};
  json["schedule"] = schedule_json(config.schedule);
  json["ema"] = {{"decay", config.ema_decay}};
  if (config.batch_structures > 0)
    json["batch"] = {{"structures", config.batch_structures}};
  else if (config.batch_atoms > 0)
    json["batch"] = {{"atoms", config.batch_atoms}};
  else
    json["batch"] = {{"edges", config.batch_edges}};
  json["seed"] = config.seed;
  json["precision"] = config.precision == Precision::single_precision ? "single" : "double";
  json["validate_every"] = interval_text(config.validate_every);
  return json;
}

Json to_json(const TrainConfig& config) {
  Json json = identity_json(config);
  json["data"]["memory"] = memory_text(config.data.memory);
  json["data"]["workers"] = config.data.workers;
  if (config.epochs > 0) json["epochs"] = config.epochs;
  if (config.steps > 0) json["steps"] = config.steps;
  if (config.time_limit > 0) json["time_limit"] = config.time_limit;
  json["output"] = config.output;
  json["checkpoint_every"] = interval_text(config.checkpoint_every);
  return json;
}

std::string to_yaml(const Json& json) {
  YAML::Emitter out;
  emit(out, json);
  return out.c_str();
}

}  // namespace isotrope
