// SPDX-License-Identifier: MIT
#pragma once
#include "layers/layout.hpp"

/// Equivariant layer norm, one norm for each degree (EquiformerV2's "component" normalisation): scalars are centred by
/// their mean over channels; then of each l the mean over channels of (the mean over its 2l+1 components of x^2) is
/// n_l, and y = x (n_l + 1e-5)^(-1/2) gain[l, channel], plus bias[channel] for scalars.
namespace isotrope {

/// Where gain [blocks][pad] and bias [pad] lie in the prepared weights.
struct ComponentNorm {
  std::size_t gain = 0, bias = 0;
};

/// y = norm of x for all blocks of y's layout, which are the first ones of x's.
template <class A>
void normalise(const ComponentNorm& norm, const typename A::Real* weights, const Features<A>& x, const Features<A>& y);

/// gx += adjoint; gradients of gain and bias are added where `weight_gradient` is not null.
template <class A>
void normalise_backward(const ComponentNorm& norm, const typename A::Real* weights, const Features<A>& x,
                        const Features<A>& gy, const Features<A>& gx, typename A::Real* weight_gradient);

}  // namespace isotrope
