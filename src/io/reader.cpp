// SPDX-License-Identifier: MIT
#include "io/reader.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/nearest.hpp"
#include "io/dataset.hpp"
#include "io/extxyz.hpp"
#include "io/omol25.hpp"
#include "io/pubchemqcr.hpp"

namespace isotrope {

namespace {

bool finite(double value) {
  return std::isfinite(value);
}
bool finite(const Vec3& v) {
  return finite(v[0]) && finite(v[1]) && finite(v[2]);
}
bool finite(const Mat3& m) {
  return finite(m[0]) && finite(m[1]) && finite(m[2]);
}

void check_vectors(const std::vector<Vec3>& vectors, const char* what, const std::string& where) {
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    require(finite(vectors[i]), "{}: NaN or infinity in the {} of atom {}", where, what, i);
  }
}

void check_labels(const Structure& structure, const std::string& where) {
  require(!structure.energy || finite(*structure.energy), "{}: the energy is NaN or infinity", where);
  require(structure.forces.empty() || structure.forces.size() == structure.numbers.size(),
          "{}: expected forces on {} atoms, found {}", where, structure.size(), structure.forces.size());
  check_vectors(structure.forces, "forces", where);
  if (!structure.stress) return;
  const Mat3& s = *structure.stress;
  require(finite(s), "{}: NaN or infinity in the stress", where);
  double size = 0, asymmetry = 0;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      size = std::max(size, std::abs(s[a][b]));
      asymmetry = std::max(asymmetry, std::abs(s[a][b] - s[b][a]));
    }
  }
  require(asymmetry <= 1e-3 * size + 1e-9, "{}: expected a symmetric stress, found entries that differ by {:g} eV/Å^3",
          where, asymmetry);
}

void check_spin(const Structure& structure, const std::string& where) {
  if (!structure.multiplicity) return;
  int multiplicity = *structure.multiplicity;
  require(multiplicity >= 1, "{}: expected a multiplicity 2S+1 of 1 or more, found {}", where, multiplicity);
  if (!structure.charge) return;
  int electrons = std::accumulate(structure.numbers.begin(), structure.numbers.end(), 0) - *structure.charge;
  const std::string problem = spin_problem(electrons, *structure.charge, multiplicity);
  require(problem.empty(), "{}: {}", where, problem);
}

}  // namespace

void check_structure(const Structure& structure, const std::string& where) {
  require(structure.size() > 0, "{}: no atoms", where);
  for (int number : structure.numbers) {
    require(number >= 1 && number <= number_of_elements, "{}: {} is not an atomic number", where, number);
  }
  require(structure.positions.size() == structure.numbers.size(), "{}: {} positions of {} atoms", where,
          structure.positions.size(), structure.size());
  check_vectors(structure.positions, "position", where);
  require(finite(structure.cell), "{}: NaN or infinity in the cell", where);
  for (int d = 0; d < 3; ++d) {
    require(!structure.periodic[d] || dot(structure.cell[d], structure.cell[d]) > 0,
            "{}: periodic along lattice vector {}, which is zero", where, d + 1);
  }
  check_labels(structure, where);
  check_spin(structure, where);
  require(finite(structure.weight) && structure.weight >= 0, "{}: expected a weight of 0 or more, found {}", where,
          structure.weight);
}

const std::vector<Format>& formats() {
  static const std::vector<Format> table = {
      {"extxyz", "extended xyz", {".xyz", ".extxyz"}, open_extxyz},
      {"isotrope", "data set of isotrope", {".h5", ".hdf5"}, open_dataset_reader},
      {"omol25", "OMol25", {".aselmdb"}, open_omol25, count_omol25, 20'000},
      {"pubchemqcr", "PubChemQCR", {".lmdb"}, open_pubchemqcr, count_pubchemqcr, 1'000},
  };
  return table;
}

const Format& format_of(const std::string& path, const std::string& name) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::vector<std::string> names;
  for (const Format& candidate : formats()) {
    const auto& known = candidate.extensions;
    bool fits = name.empty() ? std::find(known.begin(), known.end(), extension) != known.end() : candidate.name == name;
    if (fits) return candidate;
    names.push_back(candidate.name);
  }
  require(!name.empty(), "{}: the format cannot be told from the name: say --format ({})", path,
          fmt::join(names, ", "));
  fail("unknown format '{}', did you mean '{}'? Known: {}", name, nearest(name, names), fmt::join(names, ", "));
}

std::unique_ptr<StructureReader> open_reader(const std::string& path, const std::string& format,
                                             const ReadOptions& options) {
  return format_of(path, format).open(path, options);
}

std::string Finding::line() const {
  return total == 0 ? text : fmt::format("{} in {} of {} {}", text, count, total, unit);
}

std::vector<std::string> lines_of(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings)
    if (finding.count > 0 || !finding.only_if_any) lines.push_back(finding.line());
  return lines;
}

void refuse_keys(const ReadOptions& options, const std::string& path, const char* why, bool spin_keys) {
  const bool keys = options.energy_key || options.forces_key || options.stress_key || options.virial_key ||
                    (!spin_keys && (options.charge_key || options.multiplicity_key));
  require(!keys, "{}: {}, keys are for other formats", path, why);
}

std::string expand_pattern(const std::string& pattern,
                           const std::function<std::optional<std::string>(const std::string&)>& find,
                           const std::string& where, const char* option) {
  std::string result;
  for (std::size_t at = 0; at < pattern.size();) {
    std::size_t end = pattern[at] == '{' ? pattern.find('}', at) : std::string::npos;
    if (end == std::string::npos) {
      result += pattern[at++];
      continue;
    }
    std::string key = pattern.substr(at + 1, end - at - 1);
    bool alone = at == 0 && end + 1 == pattern.size();
    const std::optional<std::string> found = find(key);
    if (!found && alone) return "";
    require(found.has_value(), "{}: no entry '{}', which {} '{}' asks for", where, key, option, pattern);
    result += *found;
    at = end + 1;
  }
  return result;
}

}  // namespace isotrope
