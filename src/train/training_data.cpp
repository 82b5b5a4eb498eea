// SPDX-License-Identifier: MIT
#include "train/training_data.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/error.hpp"
#include "core/nearest.hpp"
#include "core/random.hpp"
#include "io/shards.hpp"

namespace isotrope {
namespace {

/// A set while its structures are looked for.
struct Candidates {
  SampleSet set;
  std::vector<int> group;      ///< [entries] index into group_names
  std::vector<bool> isolated;  ///< [entries]
};

/// The files of a run, each opened once.
class Sources {
 public:
  explicit Sources(const OpenSource& open) : open_(open) {}

  Candidates find(const std::vector<DataFile>& files, nlohmann::ordered_json& hashes) {
    Candidates all;
    for (const DataFile& file : files)
      for (const std::string& shard : shard_files(file.file)) add({shard, file.split}, all, hashes);
    return all;
  }
  const std::vector<std::string>& group_names() const { return group_names_; }

 private:
  void add(const DataFile& file, Candidates& all, nlohmann::ordered_json& hashes) {
    std::shared_ptr<const StructureSource>& source = opened_[file.file];
    if (!source) source = open_(file.file);
    hashes[file.file] = source->hash();
    const int wanted = file.split.empty() ? -1 : split_index(*source, file.split);
    const std::vector<StructureTraits> traits = source->traits();
    require(!traits.empty(), "{}: expected structures, found an empty data set", file.file);
    require(traits.size() < std::numeric_limits<std::uint32_t>::max() &&
                all.set.entries.size() + traits.size() < std::numeric_limits<int>::max() &&
                all.set.sources.size() < std::numeric_limits<std::uint16_t>::max(),
            "{}: a set for training has at most 2 147 483 647 structures in 65 535 files", file.file);
    const std::vector<int> groups = numbers_of_groups(source->names().groups);
    for (std::size_t i = 0; i < traits.size(); ++i) {
      if (wanted >= 0 && traits[i].split != wanted) continue;
      all.set.entries.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint16_t>(all.set.sources.size()),
                                 traits[i].labels, traits[i].atoms, 0});
      all.group.push_back(groups.at(traits[i].group));
      all.isolated.push_back(traits[i].isolated_atom);
    }
    all.set.sources.push_back(source);
  }

  static int split_index(const StructureSource& source, const std::string& wanted) {
    const std::vector<std::string>& names = source.names().splits;
    require(!names.empty(), "{}: it has no split, so no set '{}'; convert with --split, or leave `split` out",
            source.name(), wanted);
    const auto found = std::find(names.begin(), names.end(), wanted);
    require(found != names.end(), "{}: its split has no set '{}', did you mean '{}'? It has: {}", source.name(), wanted,
            nearest(wanted, names), fmt::join(names, ", "));
    return static_cast<int>(found - names.begin());
  }

  /// A group of the same name in another file is the same.
  std::vector<int> numbers_of_groups(const std::vector<std::string>& names) {
    std::vector<int> numbers;
    for (const std::string& name : names) {
      const auto [entry, is_new] = group_number_.try_emplace(name, static_cast<int>(group_names_.size()));
      if (is_new) group_names_.push_back(name);
      numbers.push_back(entry->second);
    }
    return numbers;
  }

  const OpenSource& open_;
  std::map<std::string, std::shared_ptr<const StructureSource>> opened_;
  std::map<std::string, int> group_number_;
  std::vector<std::string> group_names_;
};

/// Every config_type that has a weight must exist: a misspelt one would be ignored silently.
void check_weights(const DataConfig& config, const SampleSet& set) {
  std::set<std::string> present;
  for (const auto& source : set.sources)
    present.insert(source->names().config_types.begin(), source->names().config_types.end());
  for (const auto& [type, weight] : config.weights)
    require(present.contains(type), "data.weights names the config_type '{}', but the training files have only: {}",
            type, fmt::join(present, ", "));
}

void require_label(const SampleSet& set, const char* label, LabelBit bit, double weight, bool may_miss) {
  if (weight == 0) return;
  int first = -1, missing = 0;
  for (int i = 0; i < set.size(); ++i) {
    if (set.entries[i].labels & bit) continue;
    if (missing++ == 0) first = i;
  }
  if (missing == 0 || (may_miss && missing < set.size())) return;
  const SampleEntry& entry = set.entries[first];
  const std::string found =
      fmt::format("{}: no {} in {} of {} structures (the first is structure {}), but loss.{} is {}",
                  set.sources[entry.source]->name(), label, missing, set.size(), entry.place, label, weight);
  require(missing < set.size(), "{}; set loss.{}: 0", found, label);
  fail("{}; set loss.{}: 0, or data.allow_missing: [{}] to train those structures on their other labels", found, label,
       label);
}

void check_labels(const SampleSet& set, const DataConfig& data, const LossConfig& loss) {
  require_label(set, "energy", energy_bit, loss.energy, data.missing_energy);
  require_label(set, "forces", forces_bit, loss.forces, data.missing_forces);
  require_label(set, "stress", stress_bit, loss.stress, data.missing_stress);
}

/// Reads the isolated atoms, and takes them out of the set unless they are to be trained on.
std::vector<Sample> take_isolated_atoms(Candidates& all, bool keep) {
  std::vector<Sample> isolated;
  int kept = 0;
  for (int i = 0; i < all.set.size(); ++i) {
    if (all.isolated[i]) isolated.push_back(all.set.read_one(i));
    if (all.isolated[i] && !keep) continue;
    all.set.entries[kept] = all.set.entries[i];
    all.group[kept] = all.group[i];
    ++kept;
  }
  all.set.entries.resize(kept);
  all.group.resize(kept);
  return isolated;
}

/// What a split must not cut: groups, where it is by group, and single structures. [entries]
std::vector<int> units_of(const Candidates& all, const std::vector<std::string>& group_names, bool by_group) {
  const auto name = [&](int i) {
    const std::string& group = group_names[all.group[i]];
    return by_group && !group.empty() ? group : fmt::format("#{}", i);
  };
  // The order of names: files in another order give the same split by group.
  std::vector<int> sorted(all.set.size());
  for (int i = 0; i < all.set.size(); ++i) sorted[i] = i;
  std::stable_sort(sorted.begin(), sorted.end(), [&](int a, int b) { return name(a) < name(b); });
  std::vector<int> units(sorted.size());
  int unit = -1;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    if (k == 0 || name(sorted[k - 1]) != name(sorted[k])) ++unit;
    units[sorted[k]] = unit;
  }
  return units;
}

/// Moves a fraction of the samples, or of their groups, to the validation set; both keep the order of the files.
void split(Candidates& all, const std::vector<std::string>& group_names, const DataConfig& config,
           SampleSet& validation) {
  const bool grouped =
      std::any_of(all.group.begin(), all.group.end(), [&](int group) { return !group_names[group].empty(); });
  require(!grouped || config.split_is_stated,
          "{}: its structures belong to groups (trajectories), which a random split would cut; say data.validation.by: "
          "group to keep them whole, or by: structure",
          all.set.sources.front()->name());
  const std::vector<int> unit_of = units_of(all, group_names, config.validation_by_group);
  const int units = 1 + *std::max_element(unit_of.begin(), unit_of.end());
  const auto order = shuffled(units, config.validation_seed, 0);
  const auto wanted = static_cast<int>(std::lround(config.validation_fraction * units));
  require(wanted > 0 && wanted < units,
          "data.validation.fraction {} of {} {} leaves the training or the validation set empty",
          config.validation_fraction, units, config.validation_by_group ? "groups" : "structures");
  std::vector<bool> chosen(units);
  for (int k = 0; k < wanted; ++k) chosen[order[k]] = true;
  validation = {all.set.sources, {}, all.set.weights};
  std::vector<SampleEntry> kept;
  for (int i = 0; i < all.set.size(); ++i)
    (chosen[unit_of[i]] ? validation.entries : kept).push_back(all.set.entries[i]);
  all.set.entries = std::move(kept);
}

std::vector<Sample> read_all(const SampleSet& set) {
  for (const auto& source : set.sources) source->check_content();
  std::vector<Sample> samples;
  for (int i = 0; i < set.size(); ++i) samples.push_back(set.read_one(i));
  return samples;
}

}  // namespace

TrainingData find_training_data(const DataConfig& config, const LossConfig& loss, const OpenSource& open) {
  TrainingData data;
  Sources sources(open);
  Candidates train = sources.find(config.train, data.hashes), validation = sources.find(config.validation, data.hashes);
  train.set.weights = validation.set.weights = config.weights;
  if (config.atomic_energies == DataConfig::AtomicEnergies::file)
    data.references = read_all(sources.find({{config.isolated_atoms, ""}}, data.hashes).set);
  check_weights(config, train.set);
  data.isolated = take_isolated_atoms(train, config.train_on_isolated_atoms);
  take_isolated_atoms(validation, config.train_on_isolated_atoms);
  require(!train.set.empty(), "{}: no structure is left to train on, all are isolated atoms",
          data.hashes.begin().key());
  check_labels(train.set, config, loss);
  if (!validation.set.empty()) check_labels(validation.set, config, loss);
  if (config.validation_fraction > 0) split(train, sources.group_names(), config, validation.set);
  data.train = std::move(train.set);
  data.validation = std::move(validation.set);
  return data;
}

void check_contents(const TrainingData& data, int rank, int ranks) {
  std::set<std::string> seen;
  for (const SampleSet* set : {&data.train, &data.validation})
    for (const auto& source : set->sources)
      if (seen.insert(source->name()).second && static_cast<int>(seen.size()) % ranks == rank) source->check_content();
}

}  // namespace isotrope
