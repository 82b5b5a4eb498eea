// SPDX-License-Identifier: MIT
#include "io/molecule_hdf5.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/units.hpp"
#include "io/hdf5.hpp"

namespace isotrope {
namespace molecule_hdf5 {

namespace {

using hdf5::any;

constexpr std::int64_t block_of_conformations = 1024;

/// Names and units of a format. Of several names the first that a molecule has is meant.
struct Layout {
  const char* name;
  const char* positions;
  std::vector<std::string> numbers, energy, forces;
  std::string length, force;  ///< units
  bool nan_is_missing;
};

const Layout spice = {
    "SPICE", "conformations", {"atomic_numbers"}, {"dft_total_energy"}, {"dft_total_gradient"}, "bohr", "hartree/bohr",
    false};
const Layout ani = {"ANI",
                    "coordinates",
                    {"atomic_numbers", "species"},
                    {"wb97x_dz.energy", "energies"},
                    {"wb97x_dz.forces", "forces"},
                    "angstrom",
                    "hartree/angstrom",
                    true};

/// In Å, eV, eV/Å: CODATA 2018.
const std::map<std::string, double> units_of = {{"angstrom", 1},
                                                {"bohr", units::bohr_in_angstrom},
                                                {"ev", 1},
                                                {"hartree", units::hartree_in_ev},
                                                {"ev/angstrom", 1},
                                                {"hartree/angstrom", units::hartree_in_ev},
                                                {"hartree/bohr", units::hartree_in_ev / units::bohr_in_angstrom}};

/// The unit that a member states, or that of the format; `known`: those of its quantity.
double unit(const hdf5::Group& molecule, const std::string& member, const std::string& usual,
            const std::vector<std::string>& known) {
  std::string stated = molecule.attribute_of(member, "units");
  for (char& c : stated) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (stated.empty()) return units_of.at(usual);
  require(std::find(known.begin(), known.end(), stated) != known.end(), "{}: expected units of {}, found '{}'",
          molecule.where(member), fmt::join(known, " or "), stated);
  return units_of.at(stated);
}

/// Paths of the groups with positions, in the order of the file.
void find_molecules(const hdf5::Group& group, const std::string& prefix, const Layout& layout,
                    std::vector<std::string>& paths) {
  for (const std::string& name : group.members()) {
    if (group.kind(name) != hdf5::Group::Kind::group) continue;
    const hdf5::Group inner = group.group(name);
    if (inner.has(layout.positions))
      paths.push_back(prefix + name);
    else
      find_molecules(inner, prefix + name + "/", layout, paths);
  }
}

std::vector<std::string> molecules_of(const hdf5::File& file, const Layout& layout) {
  std::vector<std::string> paths;
  find_molecules(file, "", layout, paths);
  require(!paths.empty(), "{}: expected groups with a member '{}' ({}), found none", file.file(), layout.positions,
          layout.name);
  return paths;
}

/// One group of the file: names, shapes and units of its members.
class Molecule {
 public:
  Molecule(hdf5::Group group, const Layout& layout, const ReadOptions& options)
      : group_(std::move(group)), layout_(layout) {
    const hdf5::Shape shape = group_.shape(layout.positions);
    require(shape.size() == 3 && shape[2] == 3, "{}: expected shape [conformations, atoms, 3]",
            group_.where(layout.positions));
    conformations_ = shape[0];
    atoms_ = shape[1];
    length_ = unit(group_, layout.positions, layout.length, {"bohr", "angstrom"});
    read_numbers();
    energy_name = label(options.energy_key, layout.energy, "--energy-key");
    if (!energy_name.empty()) {
      check_rows(energy_name);
      energy_ = unit(group_, energy_name, "hartree", {"hartree", "ev"});
    }
    forces_name = label(options.forces_key, layout.forces, "--forces-key");
    if (forces_name.empty()) return;
    group_.check_shape(forces_name, {conformations_, atoms_, 3});
    force_ = unit(group_, forces_name, layout.force, {"hartree/bohr", "hartree/angstrom", "ev/angstrom"});
    if (forces_name.find("gradient") != forces_name.npos) force_ = -force_;
  }

  std::int64_t conformations() const { return conformations_; }
  std::string energy_name, forces_name;  ///< members; "": there is none

  /// The values of a label with one number a molecule or a conformation; empty where there is none.
  std::vector<double> per_structure(const std::optional<std::string>& key, const std::vector<std::string>& usual,
                                    const char* option, std::string& name) const {
    name = label(key, usual, option);
    if (name.empty()) return {};
    if (group_.kind(name) == hdf5::Group::Kind::text) {
      require(key.has_value(), "{}: expected numbers, found text", group_.where(name));
      return {static_cast<double>(charge_of_smiles(text(name), group_.where(name)))};
    }
    const hdf5::Shape shape = group_.shape(name);
    std::vector<double> values = group_.read<double>(name, hdf5::Shape(shape.size(), any));
    require(values.size() == 1 || static_cast<std::int64_t>(values.size()) == conformations_,
            "{}: expected one number, or one for each of {} conformations, found {}", group_.where(name),
            conformations_, values.size());
    return values;
  }

  std::vector<Structure> read(std::int64_t begin, std::int64_t count) const {
    const auto positions = group_.read_rows<double>(layout_.positions, {any, any, 3}, begin, count);
    const auto energy = energy_name.empty() ? std::vector<double>()
                                            : group_.read_rows<double>(energy_name, energy_shape_, begin, count);
    const auto forces = forces_name.empty() ? std::vector<double>()
                                            : group_.read_rows<double>(forces_name, {any, any, 3}, begin, count);
    std::vector<Structure> structures(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) {
      Structure& s = structures[i];
      const std::int64_t row = numbers_.size() == static_cast<std::size_t>(atoms_) ? 0 : (begin + i) * atoms_;
      s.numbers.assign(numbers_.begin() + row, numbers_.begin() + row + atoms_);
      for (std::int64_t a = i * atoms_; a < (i + 1) * atoms_; ++a)
        s.positions.push_back(scaled(&positions[3 * a], length_));
      if (!energy.empty() && !missing(&energy[i], 1)) s.energy = energy_ * energy[i];
      if (forces.empty() || missing(&forces[3 * i * atoms_], 3 * atoms_)) continue;
      for (std::int64_t a = i * atoms_; a < (i + 1) * atoms_; ++a) s.forces.push_back(scaled(&forces[3 * a], force_));
    }
    return structures;
  }

  /// The text of a member, for patterns.
  std::optional<std::string> entry(const std::string& name) const {
    if (!group_.has(name) || group_.kind(name) != hdf5::Group::Kind::text) return std::nullopt;
    return text(name);
  }

 private:
  static Vec3 scaled(const double* v, double factor) { return {factor * v[0], factor * v[1], factor * v[2]}; }

  bool missing(const double* values, std::int64_t count) const {
    return layout_.nan_is_missing && std::any_of(values, values + count, [](double v) { return std::isnan(v); });
  }

  std::string text(const std::string& name) const {
    const std::vector<std::string> strings = group_.read_strings(name);
    require(strings.size() == 1, "{}: expected one text, found {}", group_.where(name), strings.size());
    return strings[0];
  }

  /// The member that holds a label: the one that the option names, or the first of the usual ones.
  std::string label(const std::optional<std::string>& key, const std::vector<std::string>& usual,
                    const char* option) const {
    if (key && *key == "none") return "";
    if (key) {
      require(group_.has(*key), "{}: missing, but {} names it", group_.where(*key), option);
      return *key;
    }
    for (const std::string& name : usual)
      if (group_.has(name)) return name;
    return "";
  }

  void check_rows(const std::string& name) {
    energy_shape_ = group_.shape(name);
    const bool column = energy_shape_.size() == 2 && energy_shape_[1] == 1;
    require(!energy_shape_.empty() && energy_shape_[0] == conformations_ && (energy_shape_.size() == 1 || column),
            "{}: expected {} numbers, one for each conformation", group_.where(name), conformations_);
  }

  void read_numbers() {
    const std::string name = label(std::nullopt, layout_.numbers, "");
    require(!name.empty(), "{}: missing", group_.where(layout_.numbers[0]));
    const hdf5::Shape shape = group_.shape(name);
    const bool of_all = shape == hdf5::Shape{conformations_, atoms_};
    require(shape == hdf5::Shape{atoms_} || of_all, "{}: expected {} atomic numbers, or as many for each conformation",
            group_.where(name), atoms_);
    numbers_ = group_.read<int>(name, shape);
  }

  hdf5::Group group_;
  const Layout& layout_;
  std::int64_t conformations_ = 0, atoms_ = 0;
  double length_ = 1, energy_ = 1, force_ = 1;
  hdf5::Shape energy_shape_;
  std::vector<int> numbers_;  ///< [atoms], or [conformations][atoms]
};

class Reader : public StructureReader {
 public:
  Reader(const std::string& path, const Layout& layout, const ReadOptions& options)
      : layout_(layout), options_(options), file_(hdf5::File::open(path)), names_(molecules_of(file_, layout)) {
    const auto size = static_cast<std::int64_t>(names_.size());
    first_ = std::min(options.entries.begin, size);
    last_ = std::min(options.entries.end, size);
    place_ = first_;
  }

  bool next(Structure& structure) override {
    for (;;) {
      if (!molecule_ && !open_molecule()) return false;
      if (conformation_ == molecule_->conformations()) {
        molecule_.reset();
        continue;
      }
      if (take(structure)) return true;
      ++unlabelled_;
    }
  }
  double progress() const override {
    return last_ > first_ ? static_cast<double>(place_ - first_) / static_cast<double>(last_ - first_) : 1;
  }
  std::vector<Finding> report() const override {
    std::vector<Finding> findings = {
        {fmt::format("{}: Hartree and Bohr converted with 1 Hartree = {} eV, 1 Bohr = {} Å (CODATA 2018)", layout_.name,
                     units::hartree_in_ev, units::bohr_in_angstrom)}};
    for (const auto& [label, count] : used_) findings.push_back({label, count, taken_});
    if (charges_filled_ > 0) findings.push_back({"charge from --charge", charges_filled_, taken_});
    if (spins_filled_ > 0) findings.push_back({"multiplicity from --multiplicity", spins_filled_, taken_});
    findings.push_back(
        {"neither energy nor forces, left out", unlabelled_, taken_ + unlabelled_, "conformations", true});
    return findings;
  }

 private:
  bool open_molecule() {
    if (place_ >= last_) return false;
    const std::string& name = names_[place_++];
    try {
      auto molecule = std::make_unique<Molecule>(file_.group(name), layout_, options_);
      charges_ = molecule->per_structure(options_.charge_key, {"charge", "total_charge"}, "--charge-key", charge_name_);
      multiplicities_ = molecule->per_structure(options_.multiplicity_key, {"multiplicity"}, "--multiplicity-key",
                                                multiplicity_name_);
      molecule_ = std::move(molecule);
    } catch (const Error& error) {
      throw EntryError("molecule " + name, error.what());
    }
    conformation_ = 0;
    block_.clear();
    return true;
  }

  /// The next conformation; false where it has no label.
  bool take(Structure& structure) {
    const std::int64_t in_block = conformation_ % block_of_conformations;
    if (in_block == 0)
      block_ =
          molecule_->read(conformation_, std::min(block_of_conformations, molecule_->conformations() - conformation_));
    const std::int64_t index = conformation_++;
    const std::string& molecule = names_[place_ - 1];
    const std::string name = fmt::format("molecule {} conformation {}", molecule, index);
    const std::string where = fmt::format("{}: {}", file_.file(), name);
    structure = std::move(block_[in_block]);
    if (!structure.energy && structure.forces.empty()) return false;
    try {
      describe(structure, molecule, index, where);
      check_structure(structure, where);
    } catch (const Error& error) {
      throw EntryError(name, error.what());
    }
    count(structure);
    return true;
  }

  void describe(Structure& structure, const std::string& molecule, std::int64_t index, const std::string& where) {
    const auto entry = [&](const std::string& key) -> std::optional<std::string> {
      if (key == "molecule") return molecule;
      if (key == "conformation") return std::to_string(index);
      return molecule_->entry(key);
    };
    const auto whole = [&](const std::vector<double>& values, const std::string& name) -> std::optional<int> {
      if (values.empty()) return std::nullopt;
      const double value = values.size() == 1 ? values[0] : values[index];
      require(value == std::round(value) && std::abs(value) < 1e6, "{}: {}: expected a whole number, found {}", where,
              name, value);
      return static_cast<int>(value);
    };
    structure.charge = whole(charges_, charge_name_);
    structure.multiplicity = whole(multiplicities_, multiplicity_name_);
    if (!structure.charge) structure.charge = options_.charge;
    if (!structure.multiplicity) structure.multiplicity = options_.multiplicity;
    structure.config_type = expand_pattern(options_.config_type, entry, where, "--config-type");
    structure.group = expand_pattern(options_.group.empty() ? "{molecule}" : options_.group, entry, where, "--group");
  }

  void count(const Structure& structure) {
    const auto use = [&](bool has, const char* label, const std::string& name) {
      if (!has) return;
      used_[fmt::format("{} from '{}'", label, name)] += 1;
    };
    ++taken_;
    use(structure.energy.has_value(), "energy", molecule_->energy_name);
    use(!structure.forces.empty(), "forces", molecule_->forces_name);
    use(!charges_.empty(), "charge", charge_name_);
    use(!multiplicities_.empty(), "multiplicity", multiplicity_name_);
    charges_filled_ += charges_.empty() && structure.charge;
    spins_filled_ += multiplicities_.empty() && structure.multiplicity;
  }

  const Layout& layout_;
  ReadOptions options_;
  hdf5::File file_;
  std::vector<std::string> names_;  ///< of the molecules
  std::unique_ptr<Molecule> molecule_;
  std::vector<double> charges_, multiplicities_;
  std::string charge_name_, multiplicity_name_;
  std::vector<Structure> block_;
  std::int64_t first_ = 0, last_ = 0, place_ = 0, conformation_ = 0;
  std::int64_t taken_ = 0, unlabelled_ = 0, charges_filled_ = 0, spins_filled_ = 0;
  std::map<std::string, std::int64_t> used_;
};

std::unique_ptr<StructureReader> open(const std::string& path, const Layout& layout, const ReadOptions& options) {
  require(!options.stress_key && !options.virial_key, "{}: {} has no stress, keys are for other formats", path,
          layout.name);
  require(options.energy_key.has_value() == options.forces_key.has_value(),
          "{}: labels of two levels of theory may not be mixed: say both --energy-key and --forces-key, 'none' for one "
          "that is to be left out",
          path);
  return std::make_unique<Reader>(path, layout, options);
}

}  // namespace
}  // namespace molecule_hdf5

std::unique_ptr<StructureReader> open_spice(const std::string& path, const ReadOptions& options) {
  return molecule_hdf5::open(path, molecule_hdf5::spice, options);
}

std::int64_t count_spice(const std::string& path) {
  return static_cast<std::int64_t>(molecule_hdf5::molecules_of(hdf5::File::open(path), molecule_hdf5::spice).size());
}

std::unique_ptr<StructureReader> open_ani(const std::string& path, const ReadOptions& options) {
  return molecule_hdf5::open(path, molecule_hdf5::ani, options);
}

std::int64_t count_ani(const std::string& path) {
  return static_cast<std::int64_t>(molecule_hdf5::molecules_of(hdf5::File::open(path), molecule_hdf5::ani).size());
}

}  // namespace isotrope
