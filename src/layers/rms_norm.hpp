// SPDX-License-Identifier: MIT
#pragma once
#include "core/kokkos_ext.hpp"
#include "core/lane.hpp"

/// Root mean square norm (Zhang and Sennrich 2019) of rows [token][row][pad] of which `width` channels are live:
/// y = gain x / sqrt(mean of x^2 + 1e-6).
namespace isotrope {

template <class A>
void rms_norm(long tokens, int width, int pad, const typename A::Real* gain, const typename A::Real* x,
              typename A::Real* y);

/// g_x is added to. The gradient of the gain too, where `weight_gradient` is not null: for duals the tangent of the
/// adjoint, for plain numbers the adjoint.
template <class A>
void rms_norm_backward(long tokens, int width, int pad, const typename A::Real* gain, const typename A::Real* x,
                       const typename A::Real* g_y, typename A::Real* g_x, typename A::Real* weight_gradient);

}  // namespace isotrope
