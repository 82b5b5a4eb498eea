// SPDX-License-Identifier: MIT
#pragma once
#include "layers/device_graph.hpp"
#include "layers/layout.hpp"

/// Features that depend on the species alone: one row a species, expanded to atoms.
namespace isotrope {

/// table[species] = weights [species][pad] (one block of scalars); tangents are zero.
template <class A>
void species_table(const typename A::Real* weights, const Features<A>& table);
/// For duals: weight gradient [species][pad] += tangent of g_table.
template <class A>
void species_table_gradient(const Features<A>& g_table, typename A::Real* weight_gradient);

/// out[k] = table[species of row begin + k], for all its atoms and blocks.
template <class A>
void expand_species(const DeviceGraph& graph, const Features<A>& table, const Features<A>& out, int begin = 0);
/// g_table[species] = sum of g over its rows.
template <class A>
void expand_species_backward(const DeviceGraph& graph, const Features<A>& g, const Features<A>& g_table);

}  // namespace isotrope
