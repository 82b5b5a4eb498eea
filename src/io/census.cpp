// SPDX-License-Identifier: MIT
#include "io/census.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/elements.hpp"

namespace isotrope {

namespace {

constexpr std::size_t names_shown = 12;

std::string counted(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    if (parts.size() == names_shown) {
      parts.push_back(fmt::format("... {} in all", counts.size()));
      break;
    }
    parts.push_back(fmt::format("{} {}", name.empty() ? "(none)" : name, count));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string labelled(const char* name, std::int64_t count, std::int64_t structures) {
  if (count == structures) return fmt::format("{} all", name);
  if (count == 0) return fmt::format("{} none", name);
  return fmt::format("{} {} ({} missing)", name, count, structures - count);
}

}  // namespace

void Census::Range::add(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

nlohmann::json Census::Range::json() const {
  return low <= high ? nlohmann::json{{"min", low}, {"max", high}} : nlohmann::json();
}

void Census::add(const Structure& structure) {
  ++structures_;
  atoms_ += structure.size();
  smallest_ = std::min(smallest_, structure.size());
  largest_ = std::max(largest_, structure.size());
  const auto& p = structure.periodic;
  const bool periodic = p[0] || p[1] || p[2];
  periodic_ += periodic;
  isolated_atoms_ += structure.size() == 1 && !periodic;
  std::array<int, number_of_elements + 1> atoms{};
  for (int number : structure.numbers) ++atoms[number];
  for (int number = 1; number <= number_of_elements; ++number)
    if (atoms[number] > 0) elements_[number] += atoms[number];
  ++config_types_[structure.config_type];
  ++groups_[structure.group];
  ++splits_[structure.split];

  labels_.energy += structure.energy.has_value();
  labels_.forces += !structure.forces.empty();
  labels_.stress += structure.stress.has_value();
  labels_.charge += structure.charge.has_value();
  labels_.multiplicity += structure.multiplicity.has_value();
  if (structure.charge) ++charge_and_spin_[{*structure.charge, structure.multiplicity.value_or(0)}];
  if (structure.energy) energy_.add(*structure.energy);
  for (const Vec3& force : structure.forces) {
    force_.add(std::sqrt(dot(force, force)));
    force_squares_ += dot(force, force);
    ++force_atoms_;
  }
}

std::vector<std::string> Census::lines() const {
  std::vector<std::string> lines, elements;
  for (const auto& [number, count] : elements_) elements.push_back(fmt::format("{} {}", element_symbol(number), count));
  lines.push_back(fmt::format("structures    {} ({} to {} atoms; {} periodic, {} isolated atoms)", structures_,
                              smallest_, largest_, periodic_, isolated_atoms_));
  lines.push_back(fmt::format("atoms         {}: {}", atoms_, fmt::join(elements, ", ")));
  auto label = [&](const char* name, std::int64_t count) { return labelled(name, count, structures_); };
  lines.push_back(fmt::format("labels        {}, {}, {}, {}, {}", label("energy", labels_.energy),
                              label("forces", labels_.forces), label("stress", labels_.stress),
                              label("charge", labels_.charge), label("multiplicity", labels_.multiplicity)));
  std::vector<std::string> spins;
  for (const auto& [key, count] : charge_and_spin_) {
    std::string multiplicity = key.second == 0 ? "none" : std::to_string(key.second);
    spins.push_back(fmt::format("({}, {}) {}", key.first, multiplicity, count));
  }
  if (!spins.empty()) lines.push_back(fmt::format("charge, 2S+1  {}", fmt::join(spins, ", ")));
  if (labels_.energy) lines.push_back(fmt::format("energy        {:.4f} to {:.4f} eV", energy_.low, energy_.high));
  if (force_atoms_) {
    lines.push_back(fmt::format("|force|       {:.4f} to {:.4f} eV/Å, root mean square of a component {:.4f}",
                                force_.low, force_.high, std::sqrt(force_squares_ / (3.0 * force_atoms_))));
  }
  lines.push_back("config types  " + counted(config_types_));
  lines.push_back("groups        " + counted(groups_));
  if (splits_.size() > 1 || splits_.begin()->first != "") lines.push_back("split         " + counted(splits_));
  return lines;
}

nlohmann::json Census::json() const {
  nlohmann::json json;
  json["structures"] = structures_;
  json["atoms"] = atoms_;
  json["elements"] = nlohmann::json::array();
  for (const auto& [number, count] : elements_) {
    json["elements"].push_back(element_symbol(number));
    json["atoms_per_element"][element_symbol(number)] = count;
  }
  json["labels"] = {{"energy", labels_.energy},
                    {"forces", labels_.forces},
                    {"stress", labels_.stress},
                    {"charge", labels_.charge},
                    {"multiplicity", labels_.multiplicity}};
  json["isolated_atoms"] = isolated_atoms_;
  json["periodic_structures"] = periodic_;
  json["charge_and_multiplicity"] = nlohmann::json::array();
  for (const auto& [key, count] : charge_and_spin_) {
    nlohmann::json multiplicity = key.second == 0 ? nlohmann::json() : nlohmann::json(key.second);
    json["charge_and_multiplicity"].push_back(
        {{"charge", key.first}, {"multiplicity", multiplicity}, {"structures", count}});
  }
  json["energy_ev"] = energy_.json();
  json["force_norm_ev_per_angstrom"] = force_.json();
  json["force_rms_ev_per_angstrom"] =
      force_atoms_ ? nlohmann::json(std::sqrt(force_squares_ / (3.0 * force_atoms_))) : nlohmann::json();
  json["config_types"] = config_types_;
  json["groups"] = groups_;
  return json;
}

}  // namespace isotrope
