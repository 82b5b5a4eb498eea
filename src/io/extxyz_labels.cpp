// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "io/extxyz_frame.hpp"

namespace isotrope::extxyz {

namespace {

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}
bool energy_like(const std::string& key) {
  return contains(key, "energy") || key == "e" || key == "e_tot";
}
bool forces_like(const std::string& key) {
  return contains(key, "force");
}
bool stress_like(const std::string& key) {
  return contains(key, "stress") && !contains(key, "virial");
}
bool virial_like(const std::string& key) {
  return contains(key, "virial");
}
bool charge_like(const std::string& key) {
  return contains(key, "charge");
}
bool spin_like(const std::string& key) {
  return contains(key, "spin") || contains(key, "multiplicity") || contains(key, "magmom");
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// A list as Python, JSON or Tcl writes it, with blanks between the items.
std::string without_brackets(std::string text) {
  for (char& c : text) {
    if (c == ',' || c == '[' || c == ']' || c == '{' || c == '}') c = ' ';
  }
  return text;
}

std::vector<double> parse_reals(const std::string& text, std::size_t count, const std::string& what) {
  const std::string plain = without_brackets(text);
  std::vector<double> values;
  for (std::string_view word : split(plain)) values.push_back(parse_real(word, what));
  require(values.size() == count || count == 0, "{}: expected {} numbers, found {}", what, count, values.size());
  return values;
}

bool parse_flag(std::string_view text, const std::string& what) {
  static const std::set<std::string_view> yes = {"T", "True", "true", "TRUE", "1"},
                                          no = {"F", "False", "false", "FALSE", "0"};
  require(yes.count(text) || no.count(text), "{}: expected T or F, found '{}'", what, text);
  return yes.count(text) > 0;
}

/// A whole number that may be written with a decimal point.
int parse_whole(const std::string& text, const std::string& what) {
  double value = parse_real(text, what);
  require(std::abs(value) < 1e6 && value == std::round(value), "{}: expected a whole number, found '{}'", what, text);
  return static_cast<int>(value);
}

Vec3 vector_at(const std::vector<std::string_view>& words, const Column& column, const std::string& what) {
  Vec3 v;
  for (int k = 0; k < 3; ++k) v[k] = parse_real(words[column.first + k], what);
  return v;
}

Mat3 symmetric_from(const std::vector<double>& v) {
  if (v.size() == 9) return {Vec3{v[0], v[1], v[2]}, {v[3], v[4], v[5]}, {v[6], v[7], v[8]}};
  return {Vec3{v[0], v[5], v[4]}, {v[5], v[1], v[3]}, {v[4], v[3], v[2]}};  // Voigt: xx yy zz yz xz xy
}

}  // namespace

Interpreter::Interpreter(const ReadOptions& options)
    : options_(options),
      energy_{"energy", "--energy-key", options.energy_key, {"energy"}, energy_like},
      forces_{"forces", "--forces-key", options.forces_key, {"forces", "force"}, forces_like},
      stress_{"stress", "--stress-key", options.stress_key, {"stress"}, stress_like},
      virial_{"virial", "--virial-key", options.virial_key, {"virial"}, virial_like},
      charge_{"charge", "--charge-key", options.charge_key, {"charge", "total_charge"}, charge_like},
      multiplicity_{"multiplicity", "--multiplicity-key", options.multiplicity_key, {"multiplicity"}, spin_like} {}

std::string Interpreter::choose(Label& label, const std::vector<std::string>& present, const std::string& where) {
  auto is_present = [&](const std::string& key) {
    return std::find(present.begin(), present.end(), key) != present.end();
  };
  std::string chosen;
  if (label.key) {
    if (*label.key != "none" && is_present(*label.key)) chosen = *label.key;
  } else {
    std::vector<std::string> candidates;
    for (const std::string& key : present) {
      bool usual = std::find(label.usual.begin(), label.usual.end(), key) != label.usual.end();
      if (usual || label.looks_like(lower_case(key))) candidates.push_back(key);
      if (usual) chosen = key;
    }
    if (candidates.empty()) return "";
    require(candidates.size() == 1 && !chosen.empty(),
            "{}: found '{}', which may be the {}: say {} {} to use it as that, or {} none to leave it out", where,
            fmt::join(candidates, "', '"), label.name, label.option, candidates.front(), label.option);
  }
  if (!chosen.empty()) ++label.used[chosen];
  return chosen;
}

Structure Interpreter::operator()(const Frame& frame) {
  Structure structure;
  read_atoms(frame, structure);
  read_cell(frame, structure);
  read_labels(frame, structure);
  const auto entry = [&](const std::string& key) {
    auto found = frame.info.find(key);
    return found == frame.info.end() ? std::nullopt : std::optional(found->second);
  };
  structure.config_type = expand_pattern(options_.config_type, entry, frame.where, "--config-type");
  structure.group = expand_pattern(options_.group.empty() ? "{group}" : options_.group, entry, frame.where, "--group");
  if (auto weight = frame.info.find("weight"); weight != frame.info.end()) {
    structure.weight = parse_real(weight->second, frame.where + ": weight");
  }
  if (auto step = entry("step"); step && step->find_first_not_of("0123456789") == step->npos && step->size() < 10) {
    structure.step = std::stoi(*step);
  }
  structure.split = entry("split").value_or("");
  ++frames_;
  return structure;
}

void Interpreter::read_atoms(const Frame& frame, Structure& structure) const {
  const Column* species = nullptr;
  for (const char* name : {"species", "Z", "numbers"}) {
    if (!species) species = frame.column(name);
  }
  const Column* position = frame.column("pos") ? frame.column("pos") : frame.column("positions");
  require(species && species->width == 1, "{}: Properties: expected a column 'species', 'Z' or 'numbers'", frame.where);
  require(position && position->width == 3 && position->type != 'S', "{}: Properties: expected 'pos:R:3'", frame.where);
  for (const auto& words : frame.atoms) {
    std::string atom = fmt::format("{}: atom {}", frame.where, structure.numbers.size());
    std::string_view name = words[species->first];
    try {
      bool symbol = std::isalpha(static_cast<unsigned char>(name[0])) != 0;
      structure.numbers.push_back(symbol ? atomic_number(name)
                                         : checked_atomic_number(static_cast<int>(parse_integer(name, "species"))));
    } catch (const Error& error) {
      fail("{}: {}", atom, error.what());
    }
    structure.positions.push_back(vector_at(words, *position, atom));
  }
}

void Interpreter::read_cell(const Frame& frame, Structure& structure) const {
  const std::string *lattice = frame.layout("Lattice"), *pbc = frame.layout("pbc");
  const bool has_lattice = lattice != nullptr;
  structure.periodic = {has_lattice, has_lattice, has_lattice};
  if (pbc) {
    const std::string plain = without_brackets(*pbc);
    auto flags = split(plain);
    require(flags.size() == 3, "{}: pbc: expected three flags, found '{}'", frame.where, *pbc);
    for (int d = 0; d < 3; ++d) structure.periodic[d] = parse_flag(flags[d], frame.where + ": pbc");
  }
  if (!has_lattice) {
    bool periodic = structure.periodic[0] || structure.periodic[1] || structure.periodic[2];
    require(!periodic, "{}: periodic (pbc), but without a Lattice", frame.where);
    return;
  }
  auto values = parse_reals(*lattice, 9, frame.where + ": Lattice");
  for (int d = 0; d < 3; ++d) {
    if (structure.periodic[d]) structure.cell[d] = {values[3 * d], values[3 * d + 1], values[3 * d + 2]};
  }
}

void Interpreter::read_labels(const Frame& frame, Structure& structure) {
  std::vector<std::string> keys, vectors;
  for (const auto& [key, value] : frame.info) keys.push_back(key);
  for (const Column& column : frame.columns) {
    if (column.width == 3 && column.type == 'R') vectors.push_back(column.name);
  }
  const std::string& where = frame.where;
  if (std::string key = choose(energy_, keys, where); !key.empty()) {
    structure.energy = parse_real(frame.info.at(key), where + ": " + key);
  }
  if (std::string key = choose(forces_, vectors, where); !key.empty()) {
    for (const auto& words : frame.atoms) {
      std::string what = fmt::format("{}: {} of atom {}", where, key, structure.forces.size());
      structure.forces.push_back(vector_at(words, *frame.column(key), what));
    }
  }
  if (std::string key = choose(charge_, keys, where); !key.empty()) {
    structure.charge = parse_whole(frame.info.at(key), where + ": " + key);
  }
  if (std::string key = choose(multiplicity_, keys, where); !key.empty()) {
    structure.multiplicity = parse_whole(frame.info.at(key), where + ": " + key);
  }
  if (!structure.charge) structure.charge = options_.charge;
  if (!structure.multiplicity) structure.multiplicity = options_.multiplicity;
  read_stress(frame, structure, keys);
}

void Interpreter::read_stress(const Frame& frame, Structure& structure, const std::vector<std::string>& keys) {
  std::string stress = choose(stress_, keys, frame.where), virial = choose(virial_, keys, frame.where);
  if (stress.empty() && virial.empty()) return;
  require(stress.empty() || virial.empty(),
          "{}: both '{}' and '{}': say --stress-key none or --virial-key none to leave one out", frame.where, stress,
          virial);
  const std::string& key = stress.empty() ? virial : stress;
  std::string what = frame.where + ": " + key;
  auto values = parse_reals(frame.info.at(key), 0, what);
  require(values.size() == 9 || (values.size() == 6 && virial.empty()), "{}: expected 9 numbers{}, found {}", what,
          virial.empty() ? " or 6 in Voigt order" : "", values.size());
  double volume = std::abs(determinant(structure.cell));
  require(volume > 0, "{}: a stress needs a cell that is periodic in all directions", what);
  double factor = virial.empty() ? options_.stress_sign : -1 / volume;
  for (double& value : values) value *= factor;
  structure.stress = symmetric_from(values);
}

std::vector<Finding> Interpreter::report(const std::string& file) const {
  std::vector<Finding> findings;
  for (const Label* label : {&energy_, &forces_, &stress_, &virial_, &charge_, &multiplicity_}) {
    for (const auto& [key, frames] : label->used) {
      findings.push_back({fmt::format("{} from '{}'", label->name, key), frames, frames_});
    }
    bool named = label->key && *label->key != "none";
    require(!named || !label->used.empty(), "{}: no structure has '{}', which {} names", file, label->key.value_or(""),
            label->option);
  }
  return findings;
}

}  // namespace isotrope::extxyz
