// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "geometry/graph.hpp"

namespace isotrope {

/// From g_ij = dE/dr_ij (one vector an edge, eV/Å; r_ij = r_j - r_i from the receiver i to the neighbour j) to what
/// users see. The functions resize their output and overwrite it; they throw where an array does not have the graph's
/// size.

/// F_i = -dE/dr_i = sum over the row of i of g_ij - sum over the edges that i sends of g_ji; [total], ghosts included,
/// eV/Å.
void assemble_forces(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Vec3>& forces);

/// sigma = (1/V) dE/d(strain) = (1/V) sum r_ij (x) g_ij, symmetrised; [graphs], eV/Å^3, positive under tension (the
/// sign of ASE). Zero for a graph without a volume.
void assemble_stress(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Mat3>& stress);

/// W_i = -sum over the row of i of r_ij (x) g_ij; [owned], eV, LAMMPS's sign (pressure is the trace of the sum / 3V),
/// booked on the receiver, row-major r (x) g, not symmetrised (only the sum over atoms is symmetric).
void assemble_atom_virial(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Mat3>& virial);

/// The transpose of assemble_forces and assemble_stress: where forces and stress enter a loss with v_i = dL/dF_i
/// [total] and S = dL/d(sigma) [graphs], then dL = sum_ij dr_ij . dg_ij with dr_ij = -(v_j - v_i) + S r_ij / V [edges].
/// S is symmetrised; it is not read for a graph without a volume. An empty `S` means that no stress is in the loss.
void edge_tangent(const Graph& graph, std::span<const Vec3> v, std::span<const Mat3> S, std::vector<Vec3>& dr);

}  // namespace isotrope
