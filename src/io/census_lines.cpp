// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <algorithm>

#include "io/census.hpp"

namespace isotrope {

namespace {

using nlohmann::json;

constexpr std::size_t names_shown = 12;

/// All names in alphabetical order, or where there are many of them the most frequent ones.
std::string counted(const json& census, const char* key) {
  std::vector<std::pair<std::string, std::int64_t>> counts;
  for (const auto& [name, count] : census.at(key).items()) counts.emplace_back(name, count);
  const auto total = census.at(std::string(key) + "_total").get<std::size_t>();
  if (total > names_shown) {
    std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    counts.resize(std::min(names_shown, counts.size()));
  }
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} {}", name.empty() ? "(none)" : name, count));
  if (total > names_shown) parts.push_back(fmt::format("... {} in all", total));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string labels(const json& census) {
  const std::int64_t structures = census.at("structures");
  std::vector<std::string> parts;
  for (const char* name : {"energy", "forces", "stress", "charge", "multiplicity"}) {
    const std::int64_t count = census.at("labels").at(name);
    if (count == structures)
      parts.push_back(fmt::format("{} all", name));
    else if (count == 0)
      parts.push_back(fmt::format("{} none", name));
    else
      parts.push_back(fmt::format("{} {} ({} missing)", name, count, structures - count));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string spins(const json& census) {
  std::vector<std::string> parts;
  for (const json& entry : census.at("charge_and_multiplicity")) {
    const json& multiplicity = entry.at("multiplicity");
    parts.push_back(fmt::format("({}, {}) {}", entry.at("charge").get<int>(),
                                multiplicity.is_null() ? "none" : multiplicity.dump(),
                                entry.at("structures").get<std::int64_t>()));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Odd geometries: they are reported, the user decides.
std::vector<std::string> geometry(const json& census) {
  std::vector<std::string> lines;
  if (const json& closest = census.at("closest_atoms_angstrom"); !closest.is_null())
    lines.push_back(fmt::format("closest atoms {:.4f} Å apart", closest.at("min").get<double>()));
  const auto odd = [&](const char* key, const char* limit, const char* what) {
    const json& entry = census.at(key);
    if (entry.at("structures") == 0) return;
    lines.push_back(fmt::format("odd           {} structures {} {} Å (the first: structure {})",
                                entry.at("structures").get<std::int64_t>(), what, entry.at(limit).get<double>(),
                                entry.at("first_structure").get<std::int64_t>()));
  };
  odd("atoms_too_close", "closer_than_angstrom", "have atoms that are closer than");
  odd("atoms_far_apart", "farther_than_angstrom", "have an atom that is farther from all others than");
  return lines;
}

std::vector<std::string> left_out(const json& census) {
  std::vector<std::string> lines;
  if (const std::int64_t repeated = census.at("duplicates"); repeated > 0)
    lines.push_back(
        fmt::format("duplicates    {} structures have the elements and positions of an earlier one", repeated));
  if (!census.contains("rejected")) return lines;
  const json& rejected = census.at("rejected");
  lines.push_back(fmt::format("rejected      {} entries, see {}", rejected.at("entries").get<std::int64_t>(),
                              rejected.at("log").get<std::string>()));
  for (const json& reason : rejected.at("reasons")) {
    lines.push_back(
        fmt::format("  {} times  {}", reason.at("entries").get<std::int64_t>(), reason.at("first").get<std::string>()));
  }
  return lines;
}

}  // namespace

std::vector<std::string> census_lines(const json& census) {
  std::vector<std::string> elements;
  for (const std::string symbol : census.at("elements"))
    elements.push_back(fmt::format("{} {}", symbol, census.at("atoms_per_element").at(symbol).get<std::int64_t>()));
  const auto number = [&](const char* key) { return census.at(key).get<std::int64_t>(); };
  std::vector<std::string> lines;
  if (number("structures") == 0) return {"structures    none"};
  const json& sizes = census.at("atoms_per_structure");
  lines.push_back(fmt::format("structures    {} ({} to {} atoms; {} periodic, {} isolated atoms)", number("structures"),
                              sizes.at("min").get<int>(), sizes.at("max").get<int>(), number("periodic_structures"),
                              number("isolated_atoms")));
  lines.push_back(fmt::format("atoms         {}: {}", number("atoms"), fmt::join(elements, ", ")));
  lines.push_back("labels        " + labels(census));
  if (!census.at("charge_and_multiplicity").empty()) lines.push_back("charge, 2S+1  " + spins(census));
  if (const json& energy = census.at("energy_ev"); !energy.is_null())
    lines.push_back(fmt::format("energy        {:.4f} to {:.4f} eV", energy.at("min").get<double>(),
                                energy.at("max").get<double>()));
  if (const json& force = census.at("force_norm_ev_per_angstrom"); !force.is_null())
    lines.push_back(fmt::format("|force|       {:.4f} to {:.4f} eV/Å, root mean square of a component {:.4f}",
                                force.at("min").get<double>(), force.at("max").get<double>(),
                                census.at("force_rms_ev_per_angstrom").get<double>()));
  for (std::string& line : geometry(census)) lines.push_back(std::move(line));
  lines.push_back("config types  " + counted(census, "config_types"));
  lines.push_back("groups        " + counted(census, "groups"));
  if (census.contains("splits")) lines.push_back("split         " + counted(census, "splits"));
  for (std::string& line : left_out(census)) lines.push_back(std::move(line));
  return lines;
}

}  // namespace isotrope
