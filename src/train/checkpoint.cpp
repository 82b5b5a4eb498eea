// SPDX-License-Identifier: MIT
#include "train/checkpoint.hpp"

#include <filesystem>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "io/hdf5.hpp"

namespace isotrope {
namespace {

constexpr const char* format = "isotrope-checkpoint";
constexpr std::int64_t format_version = 1;

void write_vector(hdf5::Group& group, const std::string& name, const std::vector<double>& values) {
  group.write<double>(name, values, {static_cast<std::int64_t>(values.size())});
}

std::vector<double> read_vector(const hdf5::Group& group, const std::string& name, std::size_t size) {
  return group.read<double>(name, {static_cast<std::int64_t>(size)});
}

/// Throws at the first key, in depth, whose value differs.
void compare(const std::string& file, const std::string& key, const nlohmann::ordered_json& then,
             const nlohmann::ordered_json& now) {
  if (then == now) return;
  if (then.is_object() && now.is_object()) {
    for (const auto& [name, value] : now.items())
      compare(file, key.empty() ? name : key + "." + name, then.contains(name) ? then[name] : nlohmann::ordered_json(),
              value);
    for (const auto& [name, value] : then.items())
      if (!now.contains(name)) compare(file, key.empty() ? name : key + "." + name, value, nlohmann::ordered_json());
    return;  // the same content in another order
  }
  fail("{}: this checkpoint was made with {} = {}, now it is {}; restore it, or train afresh without --resume", file,
       key, then.dump(), now.dump());
}

void check_identity(const std::string& path, const hdf5::File& file, const RunIdentity& identity) {
  require(file.has_attribute("format") && file.string_attribute("format") == format,
          "{}: expected a checkpoint of isotrope train, found another kind of file", path);
  const std::int64_t version = file.int_attribute("format_version");
  require(version == format_version, "{}: checkpoint format {}, this isotrope reads {}; train afresh without --resume",
          path, version, format_version);
  using Json = nlohmann::ordered_json;
  compare(path, "", Json::parse(file.string_attribute("config")), identity.config);
  compare(path, "content hash of the data", Json::parse(file.string_attribute("data")), identity.data);
}

}  // namespace

void write_checkpoint(const std::string& path, const RunIdentity& identity, const TrainingState& state) {
  AtomicFile target(path);
  {
    hdf5::File file = hdf5::File::create(target.temporary());
    file.write_attribute("format", format);
    file.write_attribute("format_version", format_version);
    file.write_attribute("config", identity.config.dump());
    file.write_attribute("data", identity.data.dump());
    write_vector(file, "parameters", state.parameters);
    hdf5::Group optimiser = file.create_group("optimiser");
    optimiser.write_scalar<std::int64_t>("steps", state.optimiser.steps);
    write_vector(optimiser, "mean", state.optimiser.mean);
    write_vector(optimiser, "square", state.optimiser.square);
    if (!state.optimiser.largest.empty()) write_vector(optimiser, "largest", state.optimiser.largest);
    hdf5::Group average = file.create_group("average");
    average.write_scalar<std::int64_t>("updates", state.average.updates);
    write_vector(average, "values", state.average.values);
    hdf5::Group schedule = file.create_group("schedule");
    schedule.write_scalar<double>("scale", state.schedule.scale);
    schedule.write_scalar<double>("best", state.schedule.best);
    schedule.write_scalar<std::int64_t>("without_improvement", state.schedule.without_improvement);
    hdf5::Group position = file.create_group("position");
    position.write_scalar<std::int64_t>("epoch", state.epoch);
    position.write_scalar<std::int64_t>("batch", state.batch);
    position.write_scalar<std::int64_t>("step", state.step);
    position.write_scalar<double>("seconds", state.seconds);
    position.write_scalar<double>("loss_sum", state.loss_sum);
    position.write_scalar<std::int64_t>("loss_steps", state.loss_steps);
    hdf5::Group best = file.create_group("best");
    best.write_scalar<double>("loss", state.best.loss);
    best.write_scalar<std::int64_t>("step", state.best.step);
    if (!state.best.parameters.empty()) write_vector(best, "parameters", state.best.parameters);
    file.flush();
  }
  target.commit();
}

TrainingState read_checkpoint(const std::string& path, const RunIdentity& identity, std::size_t parameters) {
  require(std::filesystem::exists(path), "--resume: there is no checkpoint '{}'; train without --resume first", path);
  const hdf5::File file = hdf5::File::open(path);
  check_identity(path, file, identity);
  TrainingState state;
  state.parameters = read_vector(file, "parameters", parameters);
  const hdf5::Group optimiser = file.group("optimiser");
  state.optimiser.steps = optimiser.read_scalar<std::int64_t>("steps");
  state.optimiser.mean = read_vector(optimiser, "mean", parameters);
  state.optimiser.square = read_vector(optimiser, "square", parameters);
  if (optimiser.has("largest")) state.optimiser.largest = read_vector(optimiser, "largest", parameters);
  const hdf5::Group average = file.group("average");
  state.average.updates = average.read_scalar<std::int64_t>("updates");
  state.average.values = read_vector(average, "values", parameters);
  const hdf5::Group schedule = file.group("schedule");
  state.schedule.scale = schedule.read_scalar<double>("scale");
  state.schedule.best = schedule.read_scalar<double>("best");
  state.schedule.without_improvement = static_cast<int>(schedule.read_scalar<std::int64_t>("without_improvement"));
  const hdf5::Group position = file.group("position");
  state.epoch = position.read_scalar<std::int64_t>("epoch");
  state.batch = position.read_scalar<std::int64_t>("batch");
  state.step = position.read_scalar<std::int64_t>("step");
  state.seconds = position.read_scalar<double>("seconds");
  state.loss_sum = position.read_scalar<double>("loss_sum");
  state.loss_steps = position.read_scalar<std::int64_t>("loss_steps");
  const hdf5::Group best = file.group("best");
  state.best.loss = best.read_scalar<double>("loss");
  state.best.step = best.read_scalar<std::int64_t>("step");
  if (best.has("parameters")) state.best.parameters = read_vector(best, "parameters", parameters);
  return state;
}

}  // namespace isotrope
