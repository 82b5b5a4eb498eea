// SPDX-License-Identifier: MIT
#include "io/pubchemqcr.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/nearest.hpp"
#include "core/units.hpp"
#include "io/inflate.hpp"
#include "io/lmdb.hpp"
#include "io/structure_checks.hpp"

namespace isotrope {
namespace pubchemqcr {

namespace {

using pickle::Document;
using pickle::Value;
using Kind = pickle::Value::Kind;

const std::vector<std::string> stages = {"pm3", "hf", "DFT_1st", "DFT_2nd"};

bool is_sequence(const Value& value) {
  return value.is(Kind::list) || value.is(Kind::tuple);
}

double number(const Value& value, const char* what) {
  if (value.is(Kind::real)) return value.real();
  require(value.is(Kind::integer), "{}: expected a number, found {}", what, kind_name(value.kind()));
  return static_cast<double>(value.integer());
}

/// Z of a symbol in any case: programs print "Cl", "CL" or "cl".
int any_case_number(std::string_view symbol) {
  const auto place = [](std::string_view s) {
    int index = 0;
    for (char c : s) {
      const char lower = static_cast<char>(c | 0x20);
      if (lower < 'a' || lower > 'z') return 0;
      index = 27 * index + lower - 'a' + 1;
    }
    return index;
  };
  static const auto table = [&] {
    std::array<std::uint8_t, 27 * 27> numbers{};
    for (int z = 1; z <= number_of_elements; ++z) numbers[place(element_symbol(z))] = static_cast<std::uint8_t>(z);
    return numbers;
  }();
  const int z = symbol.size() == 1 || symbol.size() == 2 ? table[place(symbol)] : 0;
  if (z == 0) atomic_number(symbol.substr(0, 20));  // throws: not an element
  return z;
}

/// Atoms of `coordinates` or `gradient`: calls f(Z, vector) for each, whose components are named "x" or "dx" and so on.
template <class F>
void read_atoms(const Document& document, const Value& list, const char* what, std::string_view prefix, F&& f) {
  require(is_sequence(list), "{}: expected a list, found {}", what, kind_name(list.kind()));
  int index = 0;
  document.for_each(list, [&](const Value& atom) {
    require(atom.is(Kind::dict), "{} of atom {}: expected a dict, found {}", what, index, kind_name(atom.kind()));
    int z = 0;
    unsigned found = 0;
    Vec3 vector{};
    document.for_each_pair(atom, [&](const Value& key, const Value& value) {
      if (!key.is(Kind::text)) return;
      const std::string_view name = key.text();
      if (name.size() == prefix.size() + 1 && name.starts_with(prefix) && name.back() >= 'x' && name.back() <= 'z') {
        vector[name.back() - 'x'] = number(value, what);
        found |= 1u << (name.back() - 'x');
      } else if (name == "atom") {
        require(value.is(Kind::text), "{} of atom {}: expected the symbol of an element, found {}", what, index,
                kind_name(value.kind()));
        z = any_case_number(value.text());
      }
    });
    require(z != 0 && found == 7, "{} of atom {}: expected a dict with 'atom', '{}x', '{}y', '{}z'", what, index,
            prefix, prefix, prefix);
    f(z, vector);
    ++index;
  });
}

}  // namespace

Value find_stage(const Document& document, const Value& entry, std::string_view stage) {
  require(entry.is(Kind::dict), "expected a dict of stages, found {}", kind_name(entry.kind()));
  Value found;
  document.for_each_pair(entry, [&](const Value& key, const Value& value) {
    if (key.is(Kind::text) && key.text() == stage) found = value;
  });
  require(found.is(Kind::none) || is_sequence(found), "stage {}: expected a list of steps, found {}", stage,
          kind_name(found.kind()));
  return found;
}

bool read_step(const Document& document, const Value& step, Structure& structure) {
  require(step.is(Kind::dict), "expected a dict, found {}", kind_name(step.kind()));
  Value coordinates, energy, gradient;
  document.for_each_pair(step, [&](const Value& key, const Value& value) {
    if (!key.is(Kind::text)) return;
    if (key.text() == "coordinates") coordinates = value;
    if (key.text() == "energy") energy = value;
    if (key.text() == "gradient") gradient = value;
  });
  if (energy.is(Kind::none) || gradient.is(Kind::none)) return false;
  structure.numbers.clear();
  structure.positions.clear();
  structure.forces.clear();
  structure.energy = number(energy, "energy") * units::hartree_in_ev;
  read_atoms(document, coordinates, "coordinates", "", [&](int z, const Vec3& position) {
    structure.numbers.push_back(z);
    structure.positions.push_back(position);
  });
  constexpr double factor = -units::hartree_in_ev / units::bohr_in_angstrom;
  read_atoms(document, gradient, "gradient", "d", [&](int z, const Vec3& slope) {
    const std::size_t atom = structure.forces.size();
    require(atom < structure.numbers.size() && z == structure.numbers[atom],
            "gradient of atom {} is of {}, which is not the atom of the coordinates", atom, element_symbol(z));
    structure.forces.push_back({factor * slope[0], factor * slope[1], factor * slope[2]});
  });
  require(structure.forces.size() == structure.numbers.size(), "expected gradients of {} atoms, found {}",
          structure.size(), structure.forces.size());
  return true;
}

namespace {

class Reader : public StructureReader {
 public:
  Reader(const std::string& path, const ReadOptions& options) : options_(options), file_(lmdb::File::open(path)) {
    file_.skip(options.entries.begin);
    last_ = std::min(options.entries.end, file_.entries());
    place_ = first_ = options.entries.begin;
  }

  bool next(Structure& structure) override {
    for (;;) {
      while (step_ < static_cast<int>(steps_.size())) {
        if (take_step(structure)) return true;
      }
      if (place_ >= last_) return false;
      ++place_;
      const std::optional<lmdb::Entry> entry = file_.next();
      require(entry.has_value(), "{}: the entries end at {} of {}: damaged?", file_.path(), place_, last_);
      open_trajectory(*entry);
    }
  }
  double progress() const override {
    return last_ > first_ ? static_cast<double>(place_ - first_) / static_cast<double>(last_ - first_) : 1;
  }
  std::vector<Finding> report() const override {
    std::vector<Finding> findings = {
        {fmt::format(
            "energy and forces of stage {}, Hartree and Hartree/Bohr converted with 1 Hartree = {} eV, 1 Bohr = "
            "{} Å (CODATA 2018)",
            options_.stage, units::hartree_in_ev, units::bohr_in_angstrom)},
        {fmt::format("no stage {}", options_.stage), missing_, place_ - first_, "trajectories"},
        {"no energy or no gradient, left out", unlabelled_, seen_, "steps", true}};
    if (options_.charge) findings.push_back({fmt::format("charge {} from --charge", *options_.charge)});
    if (options_.multiplicity)
      findings.push_back({fmt::format("multiplicity {} from --multiplicity", *options_.multiplicity)});
    return findings;
  }

 private:
  void open_trajectory(const lmdb::Entry& entry) {
    steps_.clear();
    step_ = 0;
    budget_ = 0;
    key_ = entry.key;
    for (char& c : key_) c = c >= ' ' && c <= '~' ? c : '?';
    const std::string name = fmt::format("key {}", key_);
    try {
      const std::string_view text = inflate_(entry.value, Inflater::Wrapper::gzip);
      const Value stage = find_stage(document_, document_.parse(text), options_.stage);
      if (stage.is(Kind::none)) {
        ++missing_;
        return;
      }
      budget_ = text.size();
      document_.for_each(stage, [&](const Value& step) { steps_.push_back(step); });
    } catch (const Error& error) {
      steps_.clear();
      throw EntryError(name, fmt::format("{}: {}: {}", file_.path(), name, error.what()));
    }
  }

  bool take_step(Structure& structure) {
    const int step = step_++;
    ++seen_;
    try {
      if (!read_step(document_, steps_[step], structure)) {
        ++unlabelled_;
        return false;
      }
      spend(structure.numbers.size());
      describe(structure, step);
      check_structure(structure);
    } catch (const Error& error) {
      const std::string name = fmt::format("key {} {} step {}", key_, options_.stage, step);
      throw EntryError(name, fmt::format("{}: {}: {}", file_.path(), name, error.what()));
    }
    return true;
  }

  /// A pickle can name the same atoms again and again; a real one spends more than 20 bytes on each.
  void spend(std::size_t atoms) {
    budget_ -= std::min(budget_, atoms);
    if (budget_ > 0) return;
    steps_.clear();
    fail("the steps have more atoms than the entry has bytes");
  }

  void describe(Structure& structure, int step) const {
    const auto entry = [&](const std::string& key) -> std::optional<std::string> {
      if (key == "cid") return key_;
      if (key == "stage" || key == "config_type") return options_.stage;
      if (key == "step") return std::to_string(step);
      return std::nullopt;
    };
    const char* const has = "a step has cid, stage and step";
    structure.cell = {};
    structure.periodic = {};
    structure.stress = std::nullopt;
    structure.split.clear();
    structure.weight = 1;
    structure.step = step;
    structure.charge = options_.charge;
    structure.multiplicity = options_.multiplicity;
    structure.config_type = expand_pattern(options_.config_type, entry, has, "--config-type");
    structure.group = options_.group.empty() ? key_ : expand_pattern(options_.group, entry, has, "--group");
  }

  ReadOptions options_;
  lmdb::File file_;
  Inflater inflate_;
  Document document_;
  std::vector<Value> steps_;
  std::string key_;
  std::size_t budget_ = 0;
  int step_ = 0;
  std::int64_t first_ = 0, last_ = 0, place_ = 0, missing_ = 0, unlabelled_ = 0, seen_ = 0;
};

}  // namespace
}  // namespace pubchemqcr

std::unique_ptr<StructureReader> open_pubchemqcr(const std::string& path, const ReadOptions& options) {
  using pubchemqcr::stages;
  require(!options.stage.empty(), "{}: PubChemQCR has several stages of each relaxation: say --stage {}", path,
          fmt::join(stages, "|"));
  require(std::find(stages.begin(), stages.end(), options.stage) != stages.end(),
          "--stage: expected {}, found '{}': did you mean '{}'?", fmt::join(stages, ", "), options.stage,
          nearest(options.stage, stages));
  refuse_keys(options, path, "PubChemQCR has its labels in fixed places");
  return std::make_unique<pubchemqcr::Reader>(path, options);
}

std::int64_t count_pubchemqcr(const std::string& path) {
  return lmdb::File::open(path).entries();
}

}  // namespace isotrope
