// SPDX-License-Identifier: MIT
#include "geometry/cell.hpp"

#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

double length(const Vec3& a) {
  return std::sqrt(dot(a, a));
}

/// A unit vector at right angles to a unit vector.
Vec3 perpendicular(const Vec3& a) {
  int smallest = 0;
  for (int k = 1; k < 3; ++k) {
    if (std::abs(a[k]) < std::abs(a[smallest])) smallest = k;
  }
  Vec3 axis{};
  axis[smallest] = 1;
  const Vec3 p = cross(a, axis);
  return (1 / length(p)) * p;
}

}  // namespace

Mat3 complete_cell(const Mat3& cell, const std::array<bool, 3>& periodic) {
  Mat3 full = cell;
  double lengths = 1;
  int last = -1, dimensions = 0;
  for (int k = 0; k < 3; ++k) {
    if (!periodic[k]) continue;
    lengths *= length(cell[k]);
    last = k;
    ++dimensions;
  }
  if (dimensions == 0) full = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  if (dimensions == 1) {
    const int u = (last + 1) % 3, v = (last + 2) % 3;
    const Vec3 axis = (1 / length(cell[last])) * cell[last];
    full[u] = perpendicular(axis);
    full[v] = cross(axis, full[u]);
  }
  if (dimensions == 2) {
    const int open = !periodic[0] ? 0 : !periodic[1] ? 1 : 2;
    const Vec3 normal = cross(cell[(open + 1) % 3], cell[(open + 2) % 3]);
    full[open] = (1 / length(normal)) * normal;
  }
  if (dimensions == 0) return full;
  require(
      std::isfinite(lengths) && std::abs(determinant(full)) > 1e-8 * lengths,
      "The cell is singular along its periodic directions ({}{}{}): lattice vectors ({}, {}, {}), ({}, {}, {}), ({}, "
      "{}, {}) Å; give a cell with a volume, or declare the directions not periodic.",
      periodic[0] ? "T" : "F", periodic[1] ? "T" : "F", periodic[2] ? "T" : "F", cell[0][0], cell[0][1], cell[0][2],
      cell[1][0], cell[1][1], cell[1][2], cell[2][0], cell[2][1], cell[2][2]);
  return full;
}

Mat3 reciprocal_rows(const Mat3& cell) {
  const double inverse_volume = 1 / determinant(cell);
  return {inverse_volume * cross(cell[1], cell[2]), inverse_volume * cross(cell[2], cell[0]),
          inverse_volume * cross(cell[0], cell[1])};
}

}  // namespace isotrope
