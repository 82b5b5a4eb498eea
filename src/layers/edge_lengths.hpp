// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"
#include "layers/radial_basis.hpp"

/// Lengths of edge vectors and what is a function of them alone.
namespace isotrope {

/// A length with its tangent where the pass has one; lengths are in double whatever the precision of the network.
template <class A>
using Length = std::conditional_t<A::dual, Dual<double>, double>;

/// length [edge] of r [edge][3] (Å); `dr` [edge][3] is the tangent of r, read for duals only.
template <class A>
void edge_lengths(long edges, const double* r, const double* dr, Length<A>* length);

/// How functions of each length end at the cutoff.
template <class A>
void edge_envelope(const Envelope& end, long edges, const Length<A>* length, typename A::Num* envelope);
/// g_length += g_envelope times the slope of the envelope.
void edge_envelope_backward(const Envelope& end, long edges, const double* length, const double* g_envelope,
                            double* g_length);

/// K Gaussians of a distance with trainable places and widths (SchNet's basis with the parameters set free, as in TDN):
/// g_k(x) = exp(-z^2 / 2) / (sqrt(2 pi) s), z = (w x + b - mean_k) / s, s = |std_k| + 1e-5, x = r / cutoff.
/// In the prepared weights w and b stand once a channel, so that gradients are lanes.
struct GaussianBasis {
  int count = 0, pad = 0;
  double cutoff = 1;                                    ///< Å
  std::size_t mean = 0, std = 0, scale = 0, shift = 0;  ///< where they lie, [pad] each
};

/// out [edge][row][pad].
template <class A>
void gaussians(const GaussianBasis& basis, const typename A::Real* weights, long edges, const Length<A>* length,
               typename A::Real* out);
/// Adds the gradients of means, widths, scale and shift.
template <class A>
void gaussians_weight_gradient(const GaussianBasis& basis, const typename A::Real* weights, long edges,
                               const Length<A>* length, const typename A::Real* g_out,
                               typename A::Real* weight_gradient);

}  // namespace isotrope
