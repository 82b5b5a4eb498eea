// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <span>

#include "geometry/graph.hpp"

namespace isotrope {

/// A full neighbour list and the atoms it speaks of, as LAMMPS stores them. Under hybrid styles the rows are a subset
/// of the owned atoms; neighbours carry flags in their high bits.
struct Domain {
  int owned = 0;
  int total = 0;                     ///< with ghosts
  int atoms = 0;                     ///< of the graph: owned ones, then those of other ranks
  const double* const* x = nullptr;  ///< [total] positions, Å
  const int* type = nullptr;         ///< [total] from 1
  std::span<const int> place;        ///< [total] in the graph; images of an atom share it
  std::span<const int> species;      ///< [types + 1] by type, -1: an atom of another potential
  int rows = 0;
  const int* atom = nullptr;              ///< [rows]
  const int* neighbours = nullptr;        ///< [owned] how many, by atom
  const int* const* neighbour = nullptr;  ///< [owned] which ones, by atom
  int mask = 0;                           ///< of the bits that are an index
};

/// Receivers are all owned atoms, in LAMMPS's order: those without a row and those of another potential get an empty
/// one. Edges are the pairs nearer than `cutoff` (Å). Senders are atoms in place of their images, as in training.
/// Vectors of `graph` are reused. Throws Error for two atoms at
/// one place or a position that is not a number.
void build_domain_graph(const Domain& domain, double cutoff, Graph& graph);

}  // namespace isotrope
