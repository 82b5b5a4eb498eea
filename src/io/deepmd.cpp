// SPDX-License-Identifier: MIT
#include "io/deepmd.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "io/npy.hpp"

namespace isotrope {
namespace deepmd {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> words_of(const fs::path& path) {
  std::ifstream in(path);
  require(in.good(), "cannot open {}: file not found", path.string());
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// A folder with type.raw.
struct System {
  std::string path, name;     ///< the name is relative to the input
  std::vector<int> types;     ///< [atoms], from 0
  std::vector<int> elements;  ///< [types] atomic numbers; 0: not an element, and then no atom may have it
  std::vector<std::string> type_names;
  bool periodic = true;
};

System read_system(const fs::path& path, const std::string& name) {
  System system{path.string(), name, {}, {}, {}, !fs::exists(path / "nopbc")};
  const std::string type_path = (path / "type.raw").string();
  for (const std::string& word : words_of(type_path)) {
    const bool number = word.find_first_not_of("0123456789") == word.npos && word.size() < 9;
    require(number, "{}: expected types of atoms (0, 1, ...), found '{}'", type_path, word);
    system.types.push_back(std::stoi(word));
  }
  require(!system.types.empty(), "{}: no atoms", type_path);
  const fs::path map = path / "type_map.raw";
  require(fs::exists(map),
          "{}: no type_map.raw, so the elements of the types are not known: write their symbols into that file, in the "
          "order of the types",
          system.path);
  system.type_names = words_of(map);
  for (const std::string& symbol : system.type_names) {
    int number = 0;
    for (int z = 1; z <= number_of_elements; ++z)
      if (element_symbol(z) == symbol) number = z;
    system.elements.push_back(number);
  }
  return system;
}

/// Throws where the type has no element; `where` begins the message.
int element_of(const System& system, int type, const std::string& where) {
  const auto known = static_cast<int>(system.elements.size());
  require(type >= 0 && type < known, "{}: type {} is not among the {} of type_map.raw", where, type, known);
  require(system.elements[type] > 0, "{}: type {} is '{}' in type_map.raw, which is not an element", where, type,
          system.type_names[type]);
  return system.elements[type];
}

/// The arrays of a folder set.*, a row a frame.
class Set {
 public:
  Set(const System& system, const std::string& path) : system_(system), path_(path), coord_(path + "/coord.npy") {
    const auto atoms = static_cast<std::int64_t>(system.types.size());
    check(coord_, 3 * atoms);
    open(energy_, "energy.npy", 1);
    open(force_, "force.npy", 3 * atoms);
    open(types_, "real_atom_types.npy", atoms);
    if (!system.periodic) return;
    open(virial_, "virial.npy", 9);
    open(box_, "box.npy", 9);
    require(box_ != nullptr,
            "{}: no box.npy in a system that is periodic; one that is not has an empty file nopbc beside its type.raw",
            path);
  }
  std::int64_t frames() const { return coord_.rows(); }
  bool has_energy() const { return energy_ != nullptr; }
  bool has_forces() const { return force_ != nullptr; }
  bool has_virial() const { return virial_ != nullptr; }
  bool single_precision() const {
    return coord_.single_precision() || (energy_ && energy_->single_precision()) ||
           (force_ && force_->single_precision());
  }

  /// `options`: which labels are left out by 'none'.
  Structure frame(std::int64_t index, const ReadOptions& options, const std::string& where) {
    Structure s;
    const std::vector<double> coord = coord_.read_row(index);
    const std::vector<double> force = force_ && !options.forces_key ? force_->read_row(index) : std::vector<double>();
    const std::vector<double> types = types_ ? types_->read_row(index) : std::vector<double>();
    for (std::size_t a = 0; a < system_.types.size(); ++a) {
      const double type = types_ ? types[a] : system_.types[a];
      if (type == -1) continue;  // fills up a frame of fewer atoms
      require(type == std::round(type) && std::abs(type) < 1e6, "{}: real_atom_types.npy: expected types, found {}",
              where, type);
      s.numbers.push_back(element_of(system_, static_cast<int>(type), where));
      s.positions.push_back({coord[3 * a], coord[3 * a + 1], coord[3 * a + 2]});
      if (!force.empty()) s.forces.push_back({force[3 * a], force[3 * a + 1], force[3 * a + 2]});
    }
    if (energy_ && !options.energy_key) s.energy = energy_->read_row(index)[0];
    if (box_) read_box(s, index, !options.virial_key, where);
    return s;
  }

 private:
  void check(const NpyFile& array, std::int64_t row_size) const {
    require(array.row_size() == row_size && array.rows() == coord_.rows(),
            "{}: expected {} rows of {} numbers, found {} of {}", array.path(), coord_.rows(), row_size, array.rows(),
            array.row_size());
  }
  void open(std::unique_ptr<NpyFile>& array, const char* name, std::int64_t row_size) {
    const std::string path = path_ + "/" + name;
    if (!fs::exists(path)) return;
    array = std::make_unique<NpyFile>(path);
    check(*array, row_size);
  }
  void read_box(Structure& s, std::int64_t index, bool with_virial, const std::string& where) {
    const auto matrix = [](const std::vector<double>& v) {
      return Mat3{Vec3{v[0], v[1], v[2]}, {v[3], v[4], v[5]}, {v[6], v[7], v[8]}};
    };
    s.periodic = {true, true, true};
    s.cell = matrix(box_->read_row(index));
    if (!virial_ || !with_virial) return;
    const double volume = std::abs(determinant(s.cell));
    require(volume > 0, "{}: a virial needs a cell with a volume", where);
    s.stress = matrix(virial_->read_row(index));
    for (Vec3& row : *s.stress)
      for (double& value : row) value = -value / volume;
  }

  const System& system_;
  std::string path_;
  NpyFile coord_;
  std::unique_ptr<NpyFile> box_, energy_, force_, virial_, types_;
};

/// All frames of an input: its systems and their sets, in the order of their names.
struct Place {
  int system;
  std::string name;  ///< of the set: "set.000"
  std::int64_t frames;
};
struct Input {
  std::vector<System> systems;
  std::vector<Place> sets;
  std::int64_t frames = 0;
};

std::vector<fs::path> system_folders(const fs::path& root) {
  if (fs::exists(root / "type.raw")) return {root};
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink))
    if (entry.path().filename() == "type.raw") folders.push_back(entry.path().parent_path());
  std::sort(folders.begin(), folders.end());
  require(!folders.empty(),
          "{}: expected a system of DeePMD (type.raw, type_map.raw, set.*) or a folder of systems, "
          "found no type.raw in it or below",
          root.string());
  return folders;
}

Input find_input(const std::string& path) {
  // A slash at the end would hide the name of the folder.
  const fs::path root = fs::path(path).has_filename() ? fs::path(path) : fs::path(path).parent_path();
  Input input;
  for (const fs::path& folder : system_folders(root)) {
    const fs::path name = folder == root ? root.filename() : folder.lexically_relative(root);
    input.systems.push_back(read_system(folder, name.string()));
    std::vector<std::string> sets;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_directory() && entry.path().filename().string().starts_with("set."))
        sets.push_back(entry.path().filename().string());
    require(!sets.empty(),
            "{}: no folder set.*: text files (.raw) are turned into sets by DeePMD-kit's raw_to_set.sh or by dpdata",
            folder.string());
    std::sort(sets.begin(), sets.end());
    for (const std::string& set : sets) {
      const std::int64_t frames = Set(input.systems.back(), (folder / set).string()).frames();
      input.sets.push_back({static_cast<int>(input.systems.size()) - 1, set, frames});
      input.frames += frames;
    }
  }
  return input;
}

class Reader : public StructureReader {
 public:
  Reader(const std::string& path, const ReadOptions& options) : options_(options), input_(find_input(path)) {
    first_ = std::min(options.entries.begin, input_.frames);
    last_ = std::min(options.entries.end, input_.frames);
    require(last_ > first_ || first_ > 0, "{}: the folder has no frames", path);
    frame_ = first_;
    for (place_ = first_; set_ < input_.sets.size() && frame_ >= input_.sets[set_].frames; ++set_)
      frame_ -= input_.sets[set_].frames;
  }

  bool next(Structure& structure) override {
    if (place_ >= last_) return false;
    while (frame_ >= input_.sets[set_].frames) {
      frame_ = 0;
      ++set_;
      arrays_.reset();
    }
    const Place& place = input_.sets[set_];
    const System& system = input_.systems[place.system];
    const std::string folder = system.path + "/" + place.name;
    if (!arrays_) arrays_ = std::make_unique<Set>(system, folder);
    const std::string name = fmt::format("frame {}", frame_), where = fmt::format("{}: {}", folder, name);
    const std::int64_t frame = frame_++;
    ++place_;
    try {
      structure = arrays_->frame(frame, options_, where);
      describe(structure, system, place.name, frame, where);
      check_structure(structure, where);
    } catch (const Error& error) {
      throw EntryError(name, error.what());
    }
    energies_ += structure.energy.has_value();
    forces_ += !structure.forces.empty();
    stresses_ += structure.stress.has_value();
    single_ += arrays_->single_precision();
    return true;
  }
  double progress() const override {
    return last_ > first_ ? static_cast<double>(place_ - first_) / static_cast<double>(last_ - first_) : 1;
  }
  std::vector<Finding> report() const override {
    const std::int64_t frames = place_ - first_;
    std::vector<Finding> findings = {{"energy from 'energy.npy'", energies_, frames},
                                     {"forces from 'force.npy'", forces_, frames},
                                     {"stress = -virial / V from 'virial.npy'", stresses_, frames, "structures", true},
                                     {"numbers in single precision", single_, frames, "structures", true}};
    if (options_.charge) findings.push_back({fmt::format("charge {} from --charge", *options_.charge)});
    if (options_.multiplicity)
      findings.push_back({fmt::format("multiplicity {} from --multiplicity", *options_.multiplicity)});
    return findings;
  }

 private:
  void describe(Structure& structure, const System& system, const std::string& set, std::int64_t frame,
                const std::string& where) const {
    const auto entry = [&](const std::string& key) -> std::optional<std::string> {
      if (key == "system") return system.name;
      if (key == "set") return set;
      if (key == "frame") return std::to_string(frame);
      return std::nullopt;
    };
    structure.charge = options_.charge;
    structure.multiplicity = options_.multiplicity;
    structure.config_type = expand_pattern(options_.config_type, entry, where, "--config-type");
    structure.group = expand_pattern(options_.group.empty() ? "{system}" : options_.group, entry, where, "--group");
  }

  ReadOptions options_;
  Input input_;
  std::unique_ptr<Set> arrays_;
  std::size_t set_ = 0;
  std::int64_t frame_ = 0;  ///< of the set
  std::int64_t first_ = 0, last_ = 0, place_ = 0, energies_ = 0, forces_ = 0, stresses_ = 0, single_ = 0;
};

}  // namespace
}  // namespace deepmd

std::unique_ptr<StructureReader> open_deepmd(const std::string& path, const ReadOptions& options) {
  for (const auto& key : {options.energy_key, options.forces_key, options.virial_key})
    require(!key || *key == "none",
            "{}: DeePMD has its labels in fixed places, keys are for other formats; 'none' leaves a label out", path);
  require(!options.stress_key && !options.charge_key && !options.multiplicity_key,
          "{}: DeePMD has neither stress nor charge nor multiplicity, keys are for other formats", path);
  return std::make_unique<deepmd::Reader>(path, options);
}

std::int64_t count_deepmd(const std::string& path) {
  return deepmd::find_input(path).frames;
}

}  // namespace isotrope
