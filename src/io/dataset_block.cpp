// SPDX-License-Identifier: MIT
#include "io/dataset_block.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "io/reader.hpp"

namespace isotrope {
namespace {

Vec3 vec3(const double* values) {
  return {values[0], values[1], values[2]};
}
Mat3 mat3(const double* values) {
  return {vec3(values), vec3(values + 3), vec3(values + 6)};
}

const std::string& name_at(const std::vector<std::string>& names, int index, const std::string& where) {
  require(index >= 0 && index < static_cast<int>(names.size()), "{}: {} is no index of the {} names", where, index,
          names.size());
  return names[index];
}

/// Moves `width` values of each row to the front, in place: rows ascend.
template <class T>
void keep_rows(std::vector<T>& values, std::span<const int> rows, int width) {
  if (values.empty()) return;
  auto to = values.begin();
  for (const int row : rows) to = std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row) * width, width, to);
  values.resize(to - values.begin());
  values.shrink_to_fit();
}

/// The same for the atoms of the rows.
template <class T>
void keep_atoms(std::vector<T>& values, const std::vector<std::int64_t>& first, std::span<const int> rows, int width) {
  auto to = values.begin();
  for (const int row : rows)
    to = std::copy(values.begin() + first[row] * width, values.begin() + first[row + 1] * width, to);
  values.resize(to - values.begin());
  values.shrink_to_fit();
}

}  // namespace

Structure DatasetBlock::structure(int row) const {
  Structure s;
  const std::string where = fmt::format("{}: structure {}", names->path, index[row]);
  const std::int64_t from = first_atom[row], to = first_atom[row + 1];
  s.numbers.assign(numbers.begin() + from, numbers.begin() + to);
  s.positions.reserve(to - from);
  for (std::int64_t a = from; a < to; ++a) s.positions.push_back(vec3(&positions[3 * a]));
  if (has_forces[row]) s.forces.reserve(to - from);
  for (std::int64_t a = from; has_forces[row] && a < to; ++a) s.forces.push_back(vec3(&forces[3 * a]));
  if (has_energy[row]) s.energy = energy[row];
  require(!has_stress[row] || !stress.empty(), "{}: said to have a stress, but the data set has none", where);
  if (has_stress[row]) s.stress = mat3(&stress[9 * row]);
  if (has_charge[row]) s.charge = charge[row];
  if (has_multiplicity[row]) s.multiplicity = multiplicity[row];
  s.cell = mat3(&cell[9 * row]);
  for (int d = 0; d < 3; ++d) s.periodic[d] = periodic[3 * row + d] != 0;
  s.config_type = name_at(names->config_types, config_type[row], where);
  s.group = name_at(names->groups, group[row], where);
  if (!step.empty() && step[row] >= 0) s.step = step[row];
  if (!split.empty()) s.split = name_at(names->splits, split[row], where);
  s.weight = weight[row];
  check_structure(s, where);
  return s;
}

void DatasetBlock::keep(std::span<const int> rows) {
  keep_atoms(numbers, first_atom, rows, 1);
  for (auto* values : {&positions, &forces}) keep_atoms(*values, first_atom, rows, 3);
  for (auto* values : {&energy, &weight}) keep_rows(*values, rows, 1);
  for (auto* values : {&cell, &stress}) keep_rows(*values, rows, 9);
  for (auto* values : {&charge, &multiplicity, &config_type, &group, &step, &split}) keep_rows(*values, rows, 1);
  for (auto* values : {&has_energy, &has_forces, &has_stress, &has_charge, &has_multiplicity})
    keep_rows(*values, rows, 1);
  keep_rows(periodic, rows, 3);
  std::vector<std::int64_t> first{0};
  for (const int row : rows) first.push_back(first.back() + first_atom[row + 1] - first_atom[row]);
  first_atom = std::move(first);
  keep_rows(index, rows, 1);
}

}  // namespace isotrope
