// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <vector>

#include "geometry/structure.hpp"

namespace isotrope {

/// All pairs with 0 < |r_ij| < cutoff, periodic images and self-images included, each in both directions, in rows by
/// receiver.
struct NeighbourList {
  std::vector<std::int64_t> first;  ///< [atoms + 1]
  std::vector<int> neighbour;       ///< [pairs]
  std::vector<Vec3> r;              ///< [pairs] r_j + image - r_i, Å
};

/// Linear in the number of atoms, for any cell: triclinic, partly periodic, shorter than the cutoff. Rows are sorted by
/// (neighbour, image), so the result does not depend on how the search was done. Throws for a singular cell along a
/// periodic direction, for positions that are not finite (or beyond 1e9 Å), for two atoms at the same place (closer
/// than 1e-6 Å). r_ji is -r_ij to the last bit; positions need not lie in the cell.
NeighbourList build_neighbour_list(const Structure& structure, double cutoff);

}  // namespace isotrope
