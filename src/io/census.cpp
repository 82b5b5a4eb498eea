// SPDX-License-Identifier: MIT
#include "io/census.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "geometry/spacing.hpp"

namespace isotrope {

namespace {

constexpr std::size_t names_kept = 100;
// Closer than any bond (H2 is 0.74 Å long) even far from equilibrium; farther than most potentials look.
constexpr double close_limit = 0.3, apart_limit = 6;

/// The most frequent names, those of the same count in alphabetical order; and how many names there are.
void add_counts(nlohmann::json& census, const std::string& key,
                const std::unordered_map<std::string, std::int64_t>& counts) {
  std::vector<std::pair<std::string, std::int64_t>> largest(counts.begin(), counts.end());
  const auto kept = largest.begin() + static_cast<std::ptrdiff_t>(std::min(names_kept, largest.size()));
  std::partial_sort(largest.begin(), kept, largest.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  census[key] = nlohmann::json::object();
  for (auto entry = largest.begin(); entry != kept; ++entry) census[key][entry->first] = entry->second;
  census[key + "_total"] = counts.size();
}

bool agree(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number_float() || b.is_number_float()) {
    if (!a.is_number() || !b.is_number()) return false;
    const double x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= 1e-9 * std::max(std::abs(x), std::abs(y));
  }
  if (a.type() != b.type() && !(a.is_number() && b.is_number())) return false;
  if (!a.is_structured()) return a == b;
  if (a.size() != b.size()) return false;
  for (auto mine = a.begin(), other = b.begin(); mine != a.end(); ++mine, ++other) {
    if (a.is_object() && mine.key() != other.key()) return false;
    if (!agree(*mine, *other)) return false;
  }
  return true;
}

}  // namespace

void Census::Range::add(double value) {
  low = std::min(low, value);
  high = std::max(high, value);
}

nlohmann::json Census::Range::json() const {
  return low <= high ? nlohmann::json{{"min", low}, {"max", high}} : nlohmann::json();
}

void Census::Odd::add(bool odd, std::int64_t structure) {
  if (!odd) return;
  if (count++ == 0) first = structure;
}

nlohmann::json Census::Odd::json(const char* limit, double angstrom) const {
  return {{limit, angstrom},
          {"structures", count},
          {"first_structure", count > 0 ? nlohmann::json(first) : nlohmann::json()}};
}

void Census::add(const Structure& structure) {
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
  add_labels(structure);
  add_geometry(structure);
  ++structures_;
}

void Census::add_labels(const Structure& structure) {
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

void Census::add_geometry(const Structure& structure) {
  const std::uint64_t elements = hash_bytes(structure.numbers.data(), structure.numbers.size() * sizeof(int));
  hashes_.push_back(hash_bytes(structure.positions.data(), structure.positions.size() * sizeof(Vec3), elements));
  if (structure.size() == 1) return;
  const Spacing spacing = spacing_of(structure, apart_limit);
  if (std::isfinite(spacing.closest)) closest_.add(spacing.closest);
  close_.add(spacing.closest < close_limit, structures_);
  apart_.add(spacing.loneliest > apart_limit, structures_);
}

std::int64_t Census::duplicates() const {
  std::sort(hashes_.begin(), hashes_.end());
  std::int64_t repeated = 0;
  for (std::size_t i = 1; i < hashes_.size(); ++i) repeated += hashes_[i] == hashes_[i - 1];
  return repeated;
}

nlohmann::json Census::json() const {
  nlohmann::json json;
  json["structures"] = structures_;
  json["atoms"] = atoms_;
  json["atoms_per_structure"] =
      structures_ > 0 ? nlohmann::json{{"min", smallest_}, {"max", largest_}} : nlohmann::json();
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
      force_atoms_ ? nlohmann::json(std::sqrt(force_squares_ / (3.0 * static_cast<double>(force_atoms_))))
                   : nlohmann::json();
  json["closest_atoms_angstrom"] = closest_.json();
  json["atoms_too_close"] = close_.json("closer_than_angstrom", close_limit);
  json["atoms_far_apart"] = apart_.json("farther_than_angstrom", apart_limit);
  json["duplicates"] = duplicates();
  add_counts(json, "config_types", config_types_);
  add_counts(json, "groups", groups_);
  if (splits_.size() > 1 || !splits_.contains("")) add_counts(json, "splits", splits_);
  return json;
}

std::vector<std::string> Census::lines() const {
  return census_lines(json());
}

void check_census(const nlohmann::json& stated, const nlohmann::json& counted, const std::string& file) {
  for (const auto& [key, value] : counted.items()) {
    const auto found = stated.find(key);
    if (found == stated.end()) continue;  // an older isotrope did not count it
    require(agree(*found, value),
            "{}: the census in the file states {} = {}, counted: {}; `isotrope convert` writes a new file with a right "
            "census",
            file, key, found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
            value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

}  // namespace isotrope
