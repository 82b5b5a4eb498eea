// SPDX-License-Identifier: MIT
#include "train/training_data.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "core/error.hpp"
#include "core/random.hpp"
#include "io/dataset.hpp"

namespace isotrope {
namespace {

bool finite(const Vec3& v) {
  return std::isfinite(v[0]) && std::isfinite(v[1]) && std::isfinite(v[2]);
}
bool finite(const Mat3& m) {
  return finite(m[0]) && finite(m[1]) && finite(m[2]);
}

void check_finite(const Sample& sample) {
  const Structure& s = sample.structure;
  const auto check = [&](bool good, const std::string& what) {
    require(good, "{}: expected finite numbers, found NaN or infinity in its {}; remove or repair that structure",
            sample.where(), what);
  };
  for (int i = 0; i < s.size(); ++i) check(finite(s.positions[i]), fmt::format("positions (atom {})", i));
  for (int i = 0; i < static_cast<int>(s.forces.size()); ++i)
    check(finite(s.forces[i]), fmt::format("forces (atom {})", i));
  check(!s.energy || std::isfinite(*s.energy), "energy");
  check(!s.stress || finite(*s.stress), "stress");
  check(std::isfinite(s.weight) && s.weight >= 0, "weight (or a negative one)");
}

void check_shape(const Sample& sample) {
  const Structure& s = sample.structure;
  require(s.size() > 0, "{}: it has no atoms; remove it", sample.where());
  require(s.forces.empty() || s.forces.size() == s.numbers.size(), "{}: expected {} forces, found {}", sample.where(),
          s.size(), s.forces.size());
  const bool bulk = s.periodic[0] && s.periodic[1] && s.periodic[2];
  require(
      !s.stress || bulk,
      "{}: it has a stress but is not periodic in all three directions, where stress has no meaning; remove the label",
      sample.where());
}

std::vector<Sample> gather(std::vector<SourceFile> files, const DataConfig& config, nlohmann::ordered_json& hashes) {
  std::vector<Sample> samples;
  for (SourceFile& file : files) {
    hashes[file.name] = file.hash;
    require(!file.structures.empty(), "{}: expected structures, found an empty data set", file.name);
    for (int i = 0; i < static_cast<int>(file.structures.size()); ++i) {
      Sample sample{std::move(file.structures[i]), file.name, i, 1};
      check_shape(sample);
      check_finite(sample);
      const auto factor = config.weights.find(sample.structure.config_type);
      sample.weight = sample.structure.weight * (factor == config.weights.end() ? 1 : factor->second);
      samples.push_back(std::move(sample));
    }
  }
  return samples;
}

/// Every config_type that has a weight must exist: a misspelt one would be ignored silently.
void check_weights(const DataConfig& config, const std::vector<Sample>& samples) {
  std::set<std::string> present;
  for (const Sample& sample : samples) present.insert(sample.structure.config_type);
  for (const auto& [type, weight] : config.weights)
    require(present.contains(type), "data.weights names the config_type '{}', but the training files have only: {}",
            type, fmt::join(present, ", "));
}

using HasLabel = std::function<bool(const Structure&)>;

void require_label(const std::vector<Sample>& samples, const char* label, double weight, bool may_miss,
                   const HasLabel& has) {
  if (weight == 0) return;
  const Sample* first = nullptr;
  int missing = 0;
  for (const Sample& sample : samples) {
    if (has(sample.structure)) continue;
    if (missing++ == 0) first = &sample;
  }
  const auto total = static_cast<int>(samples.size());
  if (missing == 0 || (may_miss && missing < total)) return;
  const std::string found =
      fmt::format("{}: no {} in {} of {} structures (the first is structure {}), but loss.{} is {}", first->file, label,
                  missing, total, first->index, label, weight);
  require(missing < total, "{}; set loss.{}: 0", found, label);
  fail("{}; set loss.{}: 0, or data.allow_missing: [{}] to train those structures on their other labels", found, label,
       label);
}

void check_labels(const std::vector<Sample>& samples, const DataConfig& data, const LossConfig& loss) {
  const HasLabel energy = [](const Structure& s) { return s.energy.has_value(); };
  const HasLabel forces = [](const Structure& s) { return !s.forces.empty(); };
  const HasLabel stress = [](const Structure& s) { return s.stress.has_value(); };
  require_label(samples, "energy", loss.energy, data.missing_energy, energy);
  require_label(samples, "forces", loss.forces, data.missing_forces, forces);
  require_label(samples, "stress", loss.stress, data.missing_stress, stress);
}

std::vector<Sample> take_isolated_atoms(std::vector<Sample>& samples, bool keep) {
  std::vector<Sample> isolated;
  for (const Sample& sample : samples)
    if (is_isolated_atom(sample.structure)) isolated.push_back(sample);
  if (!keep) std::erase_if(samples, [](const Sample& sample) { return is_isolated_atom(sample.structure); });
  return isolated;
}

/// Moves a fraction of the samples, or of their groups, to the validation set; both keep the order of the files.
void split(TrainingData& set, const DataConfig& config) {
  const bool grouped = std::any_of(set.train.begin(), set.train.end(),
                                   [](const Sample& sample) { return !sample.structure.group.empty(); });
  require(!grouped || config.split_is_stated,
          "{}: its structures belong to groups (trajectories), which a random split would cut; say data.validation.by: "
          "group to keep them whole, or by: structure",
          set.train.front().file);
  std::vector<std::string> unit_of;
  for (std::size_t i = 0; i < set.train.size(); ++i) {
    const Structure& s = set.train[i].structure;
    unit_of.push_back(config.validation_by_group && !s.group.empty() ? s.group : fmt::format("#{}", i));
  }
  std::vector<std::string> units = unit_of;
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  const auto order = shuffled(static_cast<int>(units.size()), config.validation_seed, 0);
  const auto wanted =
      static_cast<std::size_t>(std::lround(config.validation_fraction * static_cast<double>(units.size())));
  require(wanted > 0 && wanted < units.size(),
          "data.validation.fraction {} of {} {} leaves the training or the validation set empty",
          config.validation_fraction, units.size(), config.validation_by_group ? "groups" : "structures");
  std::set<std::string> chosen;
  for (std::size_t k = 0; k < wanted; ++k) chosen.insert(units[order[k]]);
  std::vector<Sample> kept;
  for (std::size_t i = 0; i < set.train.size(); ++i)
    (chosen.contains(unit_of[i]) ? set.validation : kept).push_back(std::move(set.train[i]));
  set.train = std::move(kept);
}

std::vector<SourceFile> read_files(const std::vector<std::string>& names) {
  std::vector<SourceFile> files;
  for (const std::string& name : names) {
    const Dataset set = Dataset::open(name);
    set.check_content();
    files.push_back({name, set.content_hash(), set.read_range(0, set.size())});
  }
  return files;
}

}  // namespace

std::string Sample::where() const {
  return fmt::format("{}: structure {}", file, index);
}

bool is_isolated_atom(const Structure& s) {
  return s.size() == 1 && !s.periodic[0] && !s.periodic[1] && !s.periodic[2];
}

TrainingData load_training_data(const DataConfig& config, const LossConfig& loss) {
  std::vector<std::string> references;
  if (config.atomic_energies == DataConfig::AtomicEnergies::file) references.push_back(config.isolated_atoms);
  return make_training_data(config, loss, read_files(config.train), read_files(config.validation),
                            read_files(references));
}

TrainingData make_training_data(const DataConfig& config, const LossConfig& loss, std::vector<SourceFile> train,
                                std::vector<SourceFile> validation, std::vector<SourceFile> references) {
  TrainingData set;
  set.train = gather(std::move(train), config, set.hashes);
  set.validation = gather(std::move(validation), config, set.hashes);
  set.references = gather(std::move(references), config, set.hashes);
  check_weights(config, set.train);
  set.isolated = take_isolated_atoms(set.train, config.train_on_isolated_atoms);
  take_isolated_atoms(set.validation, config.train_on_isolated_atoms);
  require(!set.train.empty(), "{}: no structure is left to train on, all are isolated atoms", set.hashes.begin().key());
  check_labels(set.train, config, loss);
  if (!set.validation.empty()) check_labels(set.validation, config, loss);
  if (config.validation_fraction > 0) split(set, config);
  return set;
}

LossCounts loss_counts(const Sample& sample) {
  const Structure& s = sample.structure;
  return {s.energy ? 1.0 : 0.0, 3.0 * static_cast<double>(s.forces.size()), s.stress ? 9.0 : 0.0, 1.0,
          static_cast<double>(s.size())};
}

Labels collect_labels(const std::vector<const Sample*>& samples) {
  Labels labels;
  labels.first_atom.push_back(0);
  for (const Sample* sample : samples) labels.append(sample->structure, sample->weight);
  return labels;
}

}  // namespace isotrope
