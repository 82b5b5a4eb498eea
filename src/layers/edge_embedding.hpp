// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"
#include "layers/radial_basis.hpp"

namespace isotrope {

/// Radial basis [edge][row][count] and harmonics [edge][(l_max+1)^2] of edge vectors r [edge][3] (Å), formed in double
/// and handed on in the precision of the network. `sign` is -1 where the model's harmonics take the vector from sender
/// to receiver. `dr` [edge][3] is the tangent of r, read for duals only.
template <class A>
void embed_edges(const BesselBasis& basis, int l_max, double sign, long edges, const double* r, const double* dr,
                 typename A::Real* radial, typename A::Num* harmonics);

/// dE/dr [edge][3] from the adjoints of the radial basis, of the harmonics, and of the length (null: none).
template <class T>
void embed_edges_backward(const BesselBasis& basis, int l_max, double sign, long edges, const double* r,
                          const T* g_radial, const T* g_harmonics, const double* g_length, double* g_r);

}  // namespace isotrope
