// SPDX-License-Identifier: MIT
#pragma once
#include "geometry/graph.hpp"
#include "layers/device_graph.hpp"
#include "layers/host_copy.hpp"
#include "models/potential.hpp"

namespace isotrope {

/// Interaction energies of atoms, scale (readout) + shift by species, from the rows of a message-passing model, and
/// dE/dr of the edges.
inline void collect_energies(const Graph& graph, const DeviceGraph& rows, const Buffer<double>& row_energy,
                             const Buffer<double>& g_r, const std::vector<double>& scale,
                             const std::vector<double>& shift, Result& result) {
  result.atom_energy.assign(graph.owned, 0);
  result.dE_dr.resize(graph.edges());
  const auto energy = host_copy(row_energy, rows.rows);
  for (int row = 0; row < rows.rows; ++row) {
    const int s = graph.species[rows.order[row]];
    result.atom_energy[rows.order[row]] = scale[s] * energy(row) + shift[s];
  }
  rows.edges_to_host(g_r.view(), result.dE_dr);
}

}  // namespace isotrope
