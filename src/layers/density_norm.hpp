// SPDX-License-Identifier: MIT
#pragma once
#include "layers/device_graph.hpp"
#include "layers/layout.hpp"

/// Density normalisation (MACE-MP-0b and later): messages are divided by 1 plus a learned, smooth number of neighbours,
/// D_i = 1 + sum over edges of tanh(q^2) [times the envelope], q = w . basis(r_ij).
namespace isotrope {

/// What the density of the receivers is made of.
template <class A>
struct DensityInput {
  using T = typename A::Real;
  int count = 0;                              ///< radial basis functions
  const T* weights = nullptr;                 ///< w [count]
  const T* basis = nullptr;                   ///< [edge][row][count]
  const typename A::Num* envelope = nullptr;  ///< [edge] where it is not in the basis, else null
};

/// density [rows of the block], 1 included.
template <class A>
void neighbour_density(const DeviceGraph& graph, const RowRange& block, const DensityInput<A>& input,
                       typename A::Num* density);

/// x /= density of its row.
template <class A>
void divide_by_density(const typename A::Num* density, const Features<A>& x);
/// From the adjoint of y = x / density: that of x, over it, and of the density [rows].
template <class A>
void divide_by_density_backward(const typename A::Num* density, const Features<A>& y, const Features<A>& g,
                                typename A::Num* g_density);

/// From the adjoint of the density of a block: for plain numbers those of the basis (added to g_basis [edge][count])
/// and of the envelope (added to g_envelope [edge], where there is one); for duals the gradient of w.
template <class A>
void neighbour_density_backward(const DeviceGraph& graph, const RowRange& block, const DensityInput<A>& input,
                                const typename A::Num* g_density, typename A::Real* g_basis, double* g_envelope,
                                typename A::Real* weight_gradient);

}  // namespace isotrope
