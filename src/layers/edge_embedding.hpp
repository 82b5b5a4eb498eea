// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"
#include "layers/radial_basis.hpp"

namespace isotrope {

/// Which harmonics of an edge vector a model reads.
struct EdgeHarmonics {
  int l_max = 3;
  double sign = 1;     ///< -1 where the model takes the vector from sender to receiver
  bool solid = false;  ///< r^l Y_lm, r in Å, in place of Y_lm
  int count() const { return (l_max + 1) * (l_max + 1); }
};

/// The elements at the ends of edges, read where the basis has a transform.
struct EdgeEnds {
  const int *receiver = nullptr, *sender = nullptr;  ///< [edge] row
  const int* species = nullptr;                      ///< [row]

  /// What the radial functions of an edge of length r are functions of.
  template <class N>
  KOKKOS_INLINE_FUNCTION N argument(const BesselBasis& basis, long e, const N& r) const {
    return basis.transform.radii ? basis.transform(r, species[receiver[e]], species[sender[e]]) : r;
  }
};

/// Radial basis [edge][row][count] and harmonics [edge][(l_max+1)^2] of edge vectors r [edge][3] (Å), formed in double
/// and handed on in the precision of the network. `dr` [edge][3] is the tangent of r, read for duals only.
template <class A>
void embed_edges(const BesselBasis& basis, const EdgeHarmonics& harmonics, long edges, const double* r,
                 const double* dr, typename A::Real* radial, typename A::Num* y, const EdgeEnds& ends = {});

/// dE/dr [edge][3] from the adjoints of the radial basis, of the harmonics, and of the length (null: none); written, or
/// added to what is there.
template <class T>
void embed_edges_backward(const BesselBasis& basis, const EdgeHarmonics& harmonics, long edges, const double* r,
                          const T* g_radial, const T* g_y, const double* g_length, double* g_r, bool add = false,
                          const EdgeEnds& ends = {});

/// gradient[n] += tangent of the derivative by frequency n, from the dual adjoint of the radial basis.
template <class T>
void frequency_gradient(const BesselBasis& basis, long edges, const double* r, const double* dr, const T* g_radial,
                        double* gradient);

}  // namespace isotrope
