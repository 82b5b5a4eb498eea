// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/vec3.hpp"

namespace isotrope {

/// Indices of positions (of any unit) in the order of a Hilbert curve through the cube around them (J. Skilling,
/// AIP Conf. Proc. 707, 381, 2004): what lies near in space lies near in the order, whatever the size of the whole.
/// Places nearer than 1/1024 of the cube, and what is not a number, stay in the order they came in.
std::vector<int> order_along_curve(std::span<const Vec3> positions);

}  // namespace isotrope
