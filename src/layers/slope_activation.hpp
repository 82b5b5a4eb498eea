// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane_math.hpp"
#include "layers/attention.hpp"

/// silu over rows [n][row][width], with what the way back and a later pass on duals need left in place of x, so that
/// the exponential and the quotient of a sigmoid are formed once.
namespace isotrope {

/// y = silu(x), and x becomes the slope there; numbers in the places of duals leave the sigmoid s instead. `values`: of
/// duals, whether s and y are there, from which come the slope s + y (1 - s) and its own slope.
template <class A>
void activate_for_slope(long n, int width, Values values, typename A::Real* x, typename A::Real* y);
/// gx = gy * slope, from what activate_for_slope has left in x and y; gx may be gy.
template <class A>
void multiply_by_slope(long n, int width, const typename A::Real* x, const typename A::Real* y,
                       const typename A::Real* gy, typename A::Real* gx);

}  // namespace isotrope
