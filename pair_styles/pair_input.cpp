// SPDX-License-Identifier: GPL-2.0-only
#include "pair_input.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "io/model_file.hpp"

namespace isotrope {
namespace {

int parse_integer(const std::string& keyword, const std::string& text) {
  int value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(status == std::errc() && end == text.data() + text.size(), "pair_style: {} needs an integer, found '{}'",
          keyword, text);
  return value;
}

Precision parse_precision(const std::string& text) {
  if (text == "single") return Precision::single_precision;
  if (text == "double") return Precision::double_precision;
  fail("pair_style: precision is single or double, found '{}'", text);
}

void check_words(const std::vector<std::string>& words, int types) {
  require(words.size() >= 3,
          "pair_coeff needs a model file and one element per atom type: pair_coeff * * model.h5 C H O");
  require(words[0] == "*" && words[1] == "*",
          "expected 'pair_coeff * * {}', found 'pair_coeff {} {} ...': a model covers all pairs; write NULL "
          "for the atom types of other pair styles",
          words[2], words[0], words[1]);
  const int found = static_cast<int>(words.size()) - 3;
  require(found == types,
          "expected {} elements after '{}' in pair_coeff, one per atom type (NULL for those of other pair "
          "styles), found {}",
          types, words[2], found);
}

std::string symbols(const std::vector<int>& elements) {
  std::vector<std::string> names;
  for (int number : elements) names.push_back(element_symbol(number));
  return fmt::format("{}", fmt::join(names, " "));
}

int species_of(const std::string& word, const std::string& file, const PotentialInfo& info, bool hybrid) {
  if (word == "NULL") {
    require(hybrid,
            "NULL in pair_coeff leaves an atom type to another pair style, but this is the only one: name an "
            "element, or use pair_style hybrid or hybrid/overlay");
    return -1;
  }
  const int number = atomic_number(word);
  const auto known = std::find(info.elements.begin(), info.elements.end(), number);
  require(known != info.elements.end(), "the model '{}' does not know {}; its elements are: {}", file, word,
          symbols(info.elements));
  return static_cast<int>(known - info.elements.begin());
}

void check_charge(const std::string& file, const PotentialInfo& info, const PairSettings& settings) {
  require(!settings.charge && !settings.multiplicity,
          "the model '{}' ({}) does not depend on charge or multiplicity: leave these keywords out of pair_style", file,
          info.architecture);
}

bool parse_radial(const std::string& text) {
  // Not "table": that is a pair style, and hybrid would take it for one.
  if (text == "tabulated") return true;
  if (text == "exact") return false;
  fail("pair_style: radial is exact or tabulated, found '{}'", text);
}

Forces parse_forces(const std::string& text) {
  if (text == "gradient") return Forces::gradient;
  if (text == "direct") return Forces::direct;
  fail("pair_style: forces is gradient or direct, found '{}'", text);
}

bool parse_net_force(const std::string& text) {
  if (text == "keep") return false;
  if (text == "remove") return true;
  fail("pair_style: net_force is keep or remove, found '{}'", text);
}

/// Only the kind of forces that moves atoms is computed.
void choose_forces(const std::string& file, Potential& potential, const PairSettings& settings) {
  try {
    potential.use_forces(settings.forces.value_or(potential.info().forces));
  } catch (const Error& error) {
    fail("{}: {}: leave 'forces' out of pair_style", file, error.what());
  }
  require(
      !settings.remove_net_force || potential.info().forces == Forces::direct,
      "pair_style: net_force remove is for direct forces; those of '{}' are the gradient of its energy and sum to zero "
      "already",
      file);
}

std::string tabulate(Potential& potential, const PairSettings& settings) {
  if (!settings.tabulated.value_or(settings.precision == Precision::single_precision)) return "";
  const auto report = potential.tabulate_radial(default_table_tolerance);
  if (!report) return "";
  return fmt::format("isotrope: radial functions from tables of {} knots, relative error {:.0e} (slopes {:.0e})\n",
                     report->knots, report->value_error, report->slope_error);
}

std::string describe(const std::vector<std::string>& words, const PotentialInfo& info, Precision precision) {
  std::string text =
      fmt::format("isotrope: {}: architecture {}, {} message passing exchanges, cutoff {} A, {} precision\n", words[2],
                  info.architecture, info.message_passing_layers, info.cutoff,
                  precision == Precision::double_precision ? "double" : "single");
  if (info.forces == Forces::direct) {
    text +=
        "isotrope: direct forces: not the derivative of the energy, so that there is no pressure and no conserved "
        "energy\n";
  }
  for (std::size_t k = 3; k < words.size(); ++k) text += fmt::format("isotrope: atom type {} is {}\n", k - 2, words[k]);
  return text;
}

}  // namespace

PairSettings parse_pair_settings(const std::vector<std::string>& words) {
  PairSettings settings;
  for (std::size_t k = 0; k < words.size(); k += 2) {
    const std::string& keyword = words[k];
    require(
        keyword == "precision" || keyword == "radial" || keyword == "charge" || keyword == "multiplicity" ||
            keyword == "forces" || keyword == "net_force",
        "pair_style: unknown keyword '{}'; the keywords are precision, radial, charge, multiplicity, forces, net_force",
        keyword);
    require(k + 1 < words.size(), "pair_style: {} needs a value", keyword);
    const std::string& value = words[k + 1];
    if (keyword == "precision") settings.precision = parse_precision(value);
    if (keyword == "radial") settings.tabulated = parse_radial(value);
    if (keyword == "forces") settings.forces = parse_forces(value);
    if (keyword == "net_force") settings.remove_net_force = parse_net_force(value);
    if (keyword == "charge") settings.charge = parse_integer(keyword, value);
    if (keyword == "multiplicity") {
      settings.multiplicity = parse_integer(keyword, value);
      require(*settings.multiplicity >= 1, "pair_style: multiplicity is 2S+1, 1 or larger, found {}", value);
    }
  }
  return settings;
}

PairModel load_pair_model(const std::vector<std::string>& words, int types, bool hybrid, const PairSettings& settings) {
  check_words(words, types);
  PairModel model;
  model.potential = make_potential(read_model(words[2]), settings.precision);
  const PotentialInfo& info = model.potential->info();
  check_charge(words[2], info, settings);
  choose_forces(words[2], *model.potential, settings);
  model.species.assign(1, -1);
  for (int t = 0; t < types; ++t) model.species.push_back(species_of(words[3 + t], words[2], info, hybrid));
  require(std::any_of(model.species.begin(), model.species.end(), [](int s) { return s >= 0; }),
          "every atom type is NULL in pair_coeff: name the element of at least one");
  model.summary = describe(words, info, settings.precision) + tabulate(*model.potential, settings);
  return model;
}

}  // namespace isotrope
