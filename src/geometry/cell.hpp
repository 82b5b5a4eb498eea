// SPDX-License-Identifier: MIT
#pragma once
#include <array>

#include "core/vec3.hpp"

namespace isotrope {

/// The cell (rows are lattice vectors, Å) with its open directions replaced by unit vectors at right angles to all
/// others: what a file says about an open direction has no meaning. Throws if the vectors of the periodic directions
/// are not finite or span no volume (relative to the product of their lengths: less than 1e-8).
Mat3 complete_cell(const Mat3& cell, const std::array<bool, 3>& periodic);

/// Row k dotted with a position gives its fractional coordinate along lattice vector k: the inverse of the cell's
/// transpose.
Mat3 reciprocal_rows(const Mat3& cell);

}  // namespace isotrope
