// SPDX-License-Identifier: MIT
#include "io/split.hpp"

#include <cmath>
#include <fstream>
#include <numeric>
#include <unordered_map>

#include "core/error.hpp"
#include "core/python_random.hpp"
#include "core/random.hpp"

namespace isotrope {

namespace {

const std::vector<std::string> set_names = {"train", "validation", "test"};

const char* rule_name(SplitRule::Kind kind) {
  switch (kind) {
    case SplitRule::Kind::structure:
      return "structure";
    case SplitRule::Kind::group:
      return "group";
    case SplitRule::Kind::pubchemqcr:
      return "pubchemqcr";
    case SplitRule::Kind::file:
      return "file";
  }
  return "";
}

void check_ratios(const std::vector<double>& ratios) {
  require(ratios.size() == 3, "--split-ratios: expected three numbers (train, validation, test), found {}",
          ratios.size());
  for (double ratio : ratios)
    require(ratio >= 0 && ratio <= 1, "--split-ratios: expected numbers from 0 to 1, found {}", ratio);
  const double sum = ratios[0] + ratios[1] + ratios[2];
  require(std::abs(sum - 1) <= 1e-9, "--split-ratios: expected numbers that add to 1, found {}, {}, {}", ratios[0],
          ratios[1], ratios[2]);
}

/// The set of each unit. Sizes are truncated as Python's int() does.
std::vector<std::int8_t> deal(const SplitRule& rule, int units, const char* unit) {
  std::vector<int> order(units);
  std::iota(order.begin(), order.end(), 0);
  if (rule.kind == SplitRule::Kind::pubchemqcr)
    PythonRandom(rule.seed).shuffle(order);
  else
    order = shuffled(units, rule.seed, 0);
  const int train = static_cast<int>(rule.ratios[0] * units), validation = static_cast<int>(rule.ratios[1] * units);
  const int sizes[3] = {train, validation, units - train - validation};
  for (int s = 0; s < 3; ++s) {
    require(sizes[s] > 0 || rule.ratios[s] == 0, "--split-ratios: {} of {} {} leaves the {} set empty", rule.ratios[s],
            units, unit, set_names[s]);
  }
  std::vector<std::int8_t> set(units);
  for (int k = 0; k < units; ++k)
    set[order[k]] = static_cast<std::int8_t>(k < train ? 0 : k < train + validation ? 1 : 2);
  return set;
}

void check_groups(const SplitInput& input) {
  for (std::size_t i = 0; i < input.group.size(); ++i) {
    require(!input.group_names[input.group[i]].empty(),
            "--split: structure {} belongs to no group: say --group, or --split structure", i);
  }
}

nlohmann::json read_ids(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  require(in.good(), "cannot open {}: file not found", path);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  const char* shape =
      "expected a JSON object of sets, each a list of groups (text) or of places in the data set (numbers)";
  require(json.is_object() && json.size() <= 100, "{}: {}", path, shape);
  for (const auto& [name, ids] : json.items())
    require(ids.is_array() && !name.empty(), "{}: {}: {}", path, name, shape);
  return json;
}

Split split_by_file(const SplitRule& rule, const SplitInput& input) {
  const nlohmann::json sets = read_ids(rule.file);
  Split split;
  split.set.assign(input.group.size(), -1);
  std::vector<std::int8_t> set_of_group(input.group_names.size(), -1);
  std::unordered_map<std::string, int> index_of;
  for (std::size_t g = 0; g < input.group_names.size(); ++g) index_of[input.group_names[g]] = static_cast<int>(g);
  const auto put = [&](std::int8_t& place, std::int8_t set, const std::string& id) {
    require(place < 0 || place == set, "{}: {} is in '{}' and in '{}'", rule.file, id,
            split.names[std::max<int>(place, 0)], split.names[set]);
    place = set;
  };
  for (const auto& [name, ids] : sets.items()) {
    const auto set = static_cast<std::int8_t>(split.names.size());
    split.names.push_back(name);
    for (const auto& id : ids) {
      if (id.is_string()) {
        const auto found = index_of.find(id.get<std::string>());
        require(found != index_of.end(), "{}: {}: no structure has the group {}", rule.file, name, id.dump());
        put(set_of_group[found->second], set, id.dump());
      } else {
        const bool whole = id.is_number_unsigned();
        require(whole && id.get<std::uint64_t>() < split.set.size(), "{}: {}: {} is no group and no structure of {}",
                rule.file, name, id.dump(), split.set.size());
        put(split.set[id.get<std::uint64_t>()], set, id.dump());
      }
    }
  }
  for (std::size_t i = 0; i < split.set.size(); ++i) {
    if (const std::int8_t set = set_of_group[input.group[i]]; set >= 0)
      put(split.set[i], set, fmt::format("structure {}", i));
  }
  return split;
}

}  // namespace

void check_rule(const SplitRule& rule) {
  if (rule.kind == SplitRule::Kind::file)
    read_ids(rule.file);
  else
    check_ratios(rule.ratios);
}

Split make_split(const SplitRule& rule, const SplitInput& input) {
  check_rule(rule);
  Split split;
  split.record["rule"] = rule_name(rule.kind);
  if (rule.kind == SplitRule::Kind::file) {
    const nlohmann::json record = split.record;
    split = split_by_file(rule, input);
    split.record = record;
    split.record["file"] = rule.file;
  } else {
    split.names = set_names;
    if (rule.kind == SplitRule::Kind::structure) {
      split.set = deal(rule, static_cast<int>(input.group.size()), "structures");
    } else {
      check_groups(input);
      const auto set = deal(rule, static_cast<int>(input.group_names.size()), "groups");
      for (int group : input.group) split.set.push_back(set[group]);
      for (int s = 0; s < 3; ++s) split.record["groups"][set_names[s]] = std::count(set.begin(), set.end(), s);
    }
    split.record["ratios"] = rule.ratios;
    split.record["seed"] = rule.seed;
  }
  for (std::size_t s = 0; s < split.names.size(); ++s) {
    split.record["structures"][split.names[s]] =
        std::count(split.set.begin(), split.set.end(), static_cast<std::int8_t>(s));
  }
  if (const auto none = std::count(split.set.begin(), split.set.end(), -1)) split.record["structures"]["(none)"] = none;
  return split;
}

}  // namespace isotrope
