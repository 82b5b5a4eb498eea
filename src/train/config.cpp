// SPDX-License-Identifier: MIT
#include "train/config.hpp"

#include <cmath>
#include <filesystem>
#include <sstream>

#include "train/yaml_reader.hpp"

namespace isotrope {
namespace {

void require_range(const YamlSection& section, const std::string& key, double value, double low, double high) {
  if (!(value >= low && value <= high))
    section.refuse(key, "expected a number from {} to {}, found {}", low, high, value);
}

constexpr double huge = 1e300;

double positive(YamlSection& section, const std::string& key, double fallback) {
  const double value = section.get<double>(key, fallback);
  if (!(value > 0 && value < huge)) section.refuse(key, "expected a number above 0, found {}", value);
  return value;
}

double non_negative(YamlSection& section, const std::string& key, double fallback) {
  const double value = section.get<double>(key, fallback);
  require_range(section, key, value, 0, huge);
  return value;
}

std::int64_t count(YamlSection& section, const std::string& key, int fallback, int least) {
  const int value = section.get<int>(key, fallback);
  if (value < least) section.refuse(key, "expected an integer of {} or more, found {}", least, value);
  return value;
}

class Folder {
 public:
  explicit Folder(const std::string& config_file) : folder_(std::filesystem::path(config_file).parent_path()) {}
  std::string resolve(const std::string& path) const { return (folder_ / path).lexically_normal().string(); }

 private:
  std::filesystem::path folder_;
};

/// A path, {file: PATH, split: SET}, or a list of these.
std::vector<DataFile> read_files(YamlSection& data, const std::string& key, const Folder& folder) {
  std::vector<DataFile> files;
  for (YamlSection& item : data.items(key)) {
    if (const auto path = item.text()) {
      files.push_back({folder.resolve(*path), ""});
      continue;
    }
    files.push_back({folder.resolve(item.get<std::string>("file")), item.get<std::string>("split", "")});
    item.finish();
  }
  if (files.empty()) data.refuse(key, "expected at least one file");
  return files;
}

/// "1 GiB", "500 MiB".
std::size_t read_memory(YamlSection& section, const std::string& key, std::size_t fallback) {
  if (!section.has(key)) return fallback;
  const auto text = section.get<std::string>(key);
  double number = 0;
  std::string unit, rest;
  std::istringstream stream(text);
  stream >> number >> unit;
  const double factor = unit == "KiB" ? 0x1p10 : unit == "MiB" ? 0x1p20 : unit == "GiB" ? 0x1p30 : 0;
  if (!(number > 0 && number < 1e9) || factor == 0 || stream >> rest)
    section.refuse(key, "expected something like '1 GiB' or '500 MiB', found '{}'", text);
  return static_cast<std::size_t>(number * factor);
}

void read_validation(YamlSection& data, const Folder& folder, DataConfig& config) {
  if (data.is_map("validation") && !data.section("validation").has("file")) {
    YamlSection section = data.section("validation");
    config.validation_fraction = section.get<double>("fraction");
    if (!(config.validation_fraction > 0 && config.validation_fraction < 1))
      section.refuse("fraction", "expected a number between 0 and 1, found {}", config.validation_fraction);
    config.validation_seed = section.get<std::uint64_t>("seed", 0);
    config.split_is_stated = section.has("by");
    if (config.split_is_stated) config.validation_by_group = section.choice("by", {"structure", "group"}) == "group";
    section.finish();
  } else if (data.is_number("validation")) {
    data.refuse("validation", "a fraction is written {{fraction: 0.1, seed: 1}}");
  } else {
    const bool none = data.items("validation").size() == 1 && data.items("validation")[0].text() == "none";
    if (!none) config.validation = read_files(data, "validation", folder);
  }
}

void read_atomic_energies(YamlSection& data, const Folder& folder, DataConfig& config) {
  using Source = DataConfig::AtomicEnergies;
  if (data.is_map("isolated_atoms")) {
    config.atomic_energies = Source::table;
    YamlSection table = data.section("isolated_atoms");
    for (const std::string& symbol : table.keys()) config.e0_table[symbol] = table.get<double>(symbol);
    return;
  }
  const auto source = data.get<std::string>("isolated_atoms");
  if (source == "least_squares") {
    config.atomic_energies = Source::least_squares;
  } else if (source == "training_set") {
    config.atomic_energies = Source::training_set;
  } else {
    config.atomic_energies = Source::file;
    config.isolated_atoms = folder.resolve(source);
  }
}

void read_data(YamlSection section, const Folder& folder, DataConfig& config) {
  config.train = read_files(section, "train", folder);
  read_validation(section, folder, config);
  read_atomic_energies(section, folder, config);
  config.train_on_isolated_atoms = section.get<bool>("train_on_isolated_atoms", false);
  YamlSection weights = section.section("weights");
  for (const std::string& type : weights.keys()) config.weights[type] = non_negative(weights, type, 1);
  for (const auto& label : section.get<std::vector<std::string>>("allow_missing", {})) {
    if (label == "energy")
      config.missing_energy = true;
    else if (label == "forces")
      config.missing_forces = true;
    else if (label == "stress")
      config.missing_stress = true;
    else
      section.refuse("allow_missing", "expected a list of energy, forces, stress, found '{}'", label);
  }
  config.memory = read_memory(section, "memory", config.memory);
  config.workers = static_cast<int>(count(section, "workers", config.workers, 1));
  section.finish();
}

PenaltyConfig read_penalty(YamlSection& loss, const std::string& key, bool vectors) {
  PenaltyConfig penalty;
  YamlSection section = loss.section(key);
  std::vector<std::string> kinds{"mse", "mae", "huber"};
  if (vectors) kinds.insert(kinds.end(), {"norm", "rmse"});
  const std::string kind = section.has("kind") ? section.choice("kind", kinds) : "mse";
  if (kind == "mae") penalty.kind = PenaltyConfig::Kind::mae;
  if (kind == "norm") penalty.kind = PenaltyConfig::Kind::norm;
  if (kind == "rmse") penalty.kind = PenaltyConfig::Kind::rmse;
  if (kind == "huber") {
    penalty.kind = PenaltyConfig::Kind::huber;
    penalty.delta = positive(section, "delta", penalty.delta);
  }
  section.finish();
  return penalty;
}

void read_loss(YamlSection section, LossConfig& loss) {
  loss.energy = non_negative(section, "energy", loss.energy);
  loss.forces = non_negative(section, "forces", loss.forces);
  loss.stress = non_negative(section, "stress", loss.stress);
  loss.direct_forces = non_negative(section, "direct_forces", loss.direct_forces);
  if (section.has("energy_of")) loss.energy_per_atom = section.choice("energy_of", {"atom", "structure"}) == "atom";
  loss.energy_penalty = read_penalty(section, "energy_penalty", false);
  loss.forces_penalty = read_penalty(section, "forces_penalty", true);
  loss.stress_penalty = read_penalty(section, "stress_penalty", false);
  if (loss.energy + loss.forces + loss.stress + loss.direct_forces == 0)
    section.refuse("energy", "all weights are 0: nothing would be trained");
  section.finish();
}

void read_optimiser(YamlSection section, OptimiserConfig& config) {
  const std::string kind = section.has("kind") ? section.choice("kind", {"adam", "adamw"}) : "adam";
  config.decoupled_decay = kind == "adamw";
  config.learning_rate = positive(section, "learning_rate", config.learning_rate);
  const auto betas = section.get<std::vector<double>>("betas", {config.beta1, config.beta2});
  if (betas.size() != 2) section.refuse("betas", "expected two numbers, found {}", betas.size());
  for (double beta : betas)
    if (!(beta >= 0 && beta < 1)) section.refuse("betas", "expected numbers from 0 to below 1, found {}", beta);
  config.beta1 = betas[0];
  config.beta2 = betas[1];
  config.epsilon = positive(section, "epsilon", config.epsilon);
  config.weight_decay = non_negative(section, "weight_decay", config.weight_decay);
  config.amsgrad = section.get<bool>("amsgrad", config.amsgrad);
  config.gradient_clip = non_negative(section, "gradient_clip", config.gradient_clip);
  section.finish();
}

/// A cosine without a length of its own ends where the run ends.
void read_cosine_length(YamlSection& section, const TrainConfig& run, ScheduleConfig& schedule) {
  using Unit = ScheduleConfig::Unit;
  if (section.has("length")) {
    const std::string unit = section.choice("unit", {"steps", "epochs", "seconds"});
    schedule.unit = unit == "steps" ? Unit::steps : unit == "epochs" ? Unit::epochs : Unit::seconds;
    schedule.length = positive(section, "length", 0);
  } else if (run.steps > 0) {
    schedule.unit = Unit::steps, schedule.length = static_cast<double>(run.steps);
  } else if (run.epochs > 0) {
    schedule.unit = Unit::epochs, schedule.length = static_cast<double>(run.epochs);
  } else {
    schedule.unit = Unit::seconds, schedule.length = run.time_limit;
  }
}

void read_schedule(YamlSection section, const TrainConfig& run, ScheduleConfig& schedule) {
  using Kind = ScheduleConfig::Kind;
  const std::string kind =
      section.has("kind") ? section.choice("kind", {"constant", "plateau", "cosine", "exponential"}) : "constant";
  schedule.warmup_steps = static_cast<int>(count(section, "warmup_steps", 0, 0));
  if (kind != "constant") {
    schedule.minimum = non_negative(section, "minimum", 0);
    if (!(schedule.minimum <= run.optimiser.learning_rate))
      section.refuse("minimum", "expected at most optimiser.learning_rate ({}), found {}", run.optimiser.learning_rate,
                     schedule.minimum);
  }
  if (kind == "plateau" || kind == "exponential") {
    schedule.factor = section.get<double>("factor", schedule.factor);
    if (!(schedule.factor > 0 && schedule.factor < 1))
      section.refuse("factor", "expected a number between 0 and 1, found {}", schedule.factor);
  }
  if (kind == "plateau") {
    schedule.kind = Kind::plateau;
    schedule.patience = static_cast<int>(count(section, "patience", schedule.patience, 0));
  } else if (kind == "cosine") {
    schedule.kind = Kind::cosine;
    read_cosine_length(section, run, schedule);
  } else if (kind == "exponential") {
    schedule.kind = Kind::exponential;
    schedule.unit = section.choice("unit", {"steps", "epochs"}) == "steps" ? ScheduleConfig::Unit::steps
                                                                           : ScheduleConfig::Unit::epochs;
  }
  section.finish();
}

Interval read_interval(YamlSection& section, const std::string& key, Interval fallback) {
  if (!section.has(key)) return fallback;
  const auto text = section.get<std::string>(key);
  if (text == "never") return {0, Interval::Unit::epochs};
  std::size_t end = 0;
  int number = 0;
  try {
    number = std::stoi(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = end < text.size() && text[end] == ' ' ? text.substr(end + 1) : "";
  if (number < 1 || (unit != "epochs" && unit != "epoch" && unit != "steps" && unit != "step"))
    section.refuse(key, "expected something like '1 epochs', '500 steps' or 'never', found '{}'", text);
  return {number, unit.starts_with("epoch") ? Interval::Unit::epochs : Interval::Unit::steps};
}

void read_batch(YamlSection section, TrainConfig& config) {
  const std::pair<const char*, int*> bounds[] = {
      {"structures", &config.batch_structures}, {"atoms", &config.batch_atoms}, {"edges", &config.batch_edges}};
  int stated = 0;
  for (const auto& [key, bound] : bounds) {
    if (!section.has(key)) continue;
    *bound = static_cast<int>(count(section, key, 0, 1));
    ++stated;
  }
  if (stated != 1) section.refuse("structures", "expected one of batch.structures, batch.atoms and batch.edges");
  section.finish();
}

void read_length(YamlSection& root, TrainConfig& config) {
  config.epochs = count(root, "epochs", 0, 0);
  config.steps = count(root, "steps", 0, 0);
  config.time_limit = non_negative(root, "time_limit", 0);
}

}  // namespace

TrainConfig read_config(const std::string& file) {
  YamlSection root = YamlSection::from_file(file);
  TrainConfig config;
  config.file = file;
  read_data(root.section("data"), Folder(file), config.data);
  config.model = root.json("model");
  if (!config.model.is_object()) root.refuse("model", "expected a section of 'key: value' lines");
  read_loss(root.section("loss"), config.loss);
  read_optimiser(root.section("optimiser"), config.optimiser);
  read_length(root, config);
  read_schedule(root.section("schedule"), config, config.schedule);
  YamlSection ema = root.section("ema");
  config.ema_decay = ema.get<double>("decay", 0.0);
  if (!(config.ema_decay >= 0 && config.ema_decay < 1))
    ema.refuse("decay", "expected a number from 0 to below 1, found {}", config.ema_decay);
  ema.finish();
  read_batch(root.section("batch"), config);
  config.seed = root.get<std::uint64_t>("seed", 0);
  const std::string precision =
      root.has("precision") ? root.choice("precision", {"single", "double"}) : std::string("double");
  config.precision = precision == "single" ? Precision::single_precision : Precision::double_precision;
  config.output = root.get<std::string>("output");
  if (!config.output.ends_with(".h5"))
    root.refuse("output", "expected the name of a model file that ends in .h5, found '{}'", config.output);
  config.validate_every = read_interval(root, "validate_every", config.validate_every);
  config.checkpoint_every = read_interval(root, "checkpoint_every", config.checkpoint_every);
  root.finish();
  if (config.epochs == 0 && config.steps == 0 && config.time_limit == 0)
    root.refuse("epochs", "nothing says when to stop: set epochs, steps or time_limit (seconds)");
  if (config.schedule.kind == ScheduleConfig::Kind::plateau && config.data.validation.empty() &&
      config.data.validation_fraction == 0)
    root.refuse("schedule", "kind plateau follows the validation loss, but data.validation is none");
  return config;
}

}  // namespace isotrope
