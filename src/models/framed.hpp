// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "geometry/frames.hpp"
#include "models/potential.hpp"

namespace isotrope {

/// A potential that sees whole molecules, averaged over their frames (geometry/frames.hpp): exactly invariant away from
/// degenerate axes, at four (SO(3)) or eight (O(3)) times the cost. Forces are true derivatives, through the axes too;
/// direct forces turn with them. The inner potential sees one frame of all structures at a time.
std::unique_ptr<Potential> average_over_frames(std::unique_ptr<Potential> inner, FrameGroup group, double gap_switch);

/// The gap below which such a potential is not invariant; 0 for any other.
double gap_switch_of(const Potential& potential);

}  // namespace isotrope
