// SPDX-License-Identifier: MIT
#pragma once
#include "layers/device_graph.hpp"
#include "layers/layout.hpp"

/// Energies per atom: what readouts and the pair term share. Energies of atoms are summed in double.
namespace isotrope {

/// energy[row] += y[row * stride].
template <class T>
void add_column(long rows, const T* y, long stride, double* energy);

/// y [rows][row][width]: the first column is the seed of the row, the others 0.
template <class A>
void seed_column(long rows, const typename A::Num* seed, int width, typename A::Real* y);

/// seed[row] = scale of its species; for duals the tangent is scale times the graph's tangent.
template <class A>
void seed_energies(const DeviceGraph& graph, const double* scale, typename A::Num* seed);

/// E_i += sum over edges of w[receiver's species, sender's species] . basis(r_ij); w [S][S][count].
template <class T>
void pair_energy(const DeviceGraph& graph, int species, int count, const T* weights, const T* basis, double* energy);
/// g_basis [edge][row][count] += seed w; for duals the weight gradient.
template <class A>
void pair_energy_backward(const DeviceGraph& graph, int species, int count, const typename A::Real* weights,
                          const typename A::Real* basis, const typename A::Num* seed, typename A::Real* g_basis,
                          typename A::Real* weight_gradient);

}  // namespace isotrope
