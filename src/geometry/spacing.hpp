// SPDX-License-Identifier: MIT
#pragma once
#include <limits>

#include "geometry/structure.hpp"

namespace isotrope {

/// How near the atoms of a structure are to one another, periodic images included.
struct Spacing {
  double closest = std::numeric_limits<double>::infinity();  ///< Å, of all pairs; infinity: none within the reach
  double loneliest = 0;  ///< Å, from the atom that is farthest from all others to the nearest; infinity: not in reach
};

/// Looks as far as `reach` (Å), around molecules of up to 500 atoms farther. Never throws: atoms at the same place have
/// the distance 0, and of a cell that has no volume only the atoms themselves are looked at.
Spacing spacing_of(const Structure& structure, double reach);

}  // namespace isotrope
