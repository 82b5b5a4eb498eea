// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane_math.hpp"

/// silu over rows [n][row][width], with its slope kept for the way back, which then needs no exponential.
namespace isotrope {

/// y = silu(x), and x becomes the slope there; numbers in the places of duals leave x and have the slope in its tangent
/// row.
template <class A>
void activate_for_slope(long n, int width, typename A::Real* x, typename A::Real* y);
/// gx = gy * slope, from where activate_for_slope has left it; gx may be gy.
template <class A>
void multiply_by_slope(long n, int width, const typename A::Real* slope, const typename A::Real* gy,
                       typename A::Real* gx);

}  // namespace isotrope
