// SPDX-License-Identifier: MIT
#include "geometry/spacing.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "geometry/neighbour_list.hpp"

namespace isotrope {

namespace {

// All pairs are faster than a neighbour list up to here.
constexpr int few_atoms = 500;

/// Squared distance of each atom to its nearest neighbour, without images. Squares are compared as integers, which is
/// the same for positive numbers: the compiler takes several at a time then, but not a minimum of doubles, because of
/// NaN.
std::vector<double> nearest_of_all(const std::vector<Vec3>& positions) {
  const std::size_t n = positions.size();
  std::vector<double> x(n), y(n), z(n);
  std::vector<std::int64_t> nearest(n, std::bit_cast<std::int64_t>(std::numeric_limits<double>::infinity()));
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = positions[i][0];
    y[i] = positions[i][1];
    z[i] = positions[i][2];
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double xi = x[i], yi = y[i], zi = z[i];
    std::int64_t own = nearest[i];
    for (std::size_t j = i + 1; j < n; ++j) {
      const double dx = x[j] - xi, dy = y[j] - yi, dz = z[j] - zi, square = dx * dx + dy * dy + dz * dz;
      const auto bits = std::bit_cast<std::int64_t>(square);
      nearest[j] = std::min(nearest[j], bits);
      own = std::min(own, bits);
    }
    nearest[i] = own;
  }
  std::vector<double> squares(n);
  for (std::size_t i = 0; i < n; ++i) squares[i] = std::bit_cast<double>(nearest[i]);
  return squares;
}

/// The same with images, as far as `reach`.
std::vector<double> nearest_in_list(const Structure& structure, double reach) {
  const NeighbourList list = build_neighbour_list(structure, reach);
  std::vector<double> nearest(structure.positions.size(), std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    for (std::int64_t e = list.first[i]; e < list.first[i + 1]; ++e)
      nearest[i] = std::min(nearest[i], dot(list.r[e], list.r[e]));
  }
  return nearest;
}

std::vector<double> nearest_squares(const Structure& structure, double reach) {
  const auto& p = structure.periodic;
  if (!(p[0] || p[1] || p[2]) && structure.size() <= few_atoms) return nearest_of_all(structure.positions);
  try {
    // In dense matter a short reach finds a neighbour of every atom, by a list that is many times shorter.
    std::vector<double> nearest = nearest_in_list(structure, 0.5 * reach);
    if (std::all_of(nearest.begin(), nearest.end(), [](double square) { return std::isfinite(square); }))
      return nearest;
    return nearest_in_list(structure, reach);
  } catch (const Error&) {  // two atoms at the same place, or a cell without volume
    return nearest_of_all(structure.positions);
  }
}

}  // namespace

Spacing spacing_of(const Structure& structure, double reach) {
  Spacing spacing;
  for (double square : nearest_squares(structure, reach)) {
    const double distance = std::sqrt(square);
    spacing.closest = std::min(spacing.closest, distance);
    spacing.loneliest = std::max(spacing.loneliest, distance);
  }
  return spacing;
}

}  // namespace isotrope
