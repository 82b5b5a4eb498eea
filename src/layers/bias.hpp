// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

/// Biases of scalar channels.
namespace isotrope {

/// y[row] += bias, for `rows` rows [row][value|tangent][width]; the tangent of a bias is 0.
template <class A>
void add_bias(long rows, int width, const typename A::Real* bias, typename A::Real* y);
/// For duals: gradient[width] += tangents of g summed over rows.
template <class A>
void bias_gradient(long rows, int width, const typename A::Real* g, typename A::Real* gradient);

}  // namespace isotrope
