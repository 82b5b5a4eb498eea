// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <span>
#include <vector>

#include "core/kokkos_ext.hpp"
#include "geometry/graph.hpp"

namespace isotrope {

/// Consecutive receivers [begin, end).
struct RowRange {
  int begin, end;
  int count() const { return end - begin; }
};

/// A Graph as kernels read it. Owned atoms of this potential become rows along the Graph's curve, so that what their
/// neighbours show stays in cache, and within each group of rows sorted by species, so that weights of an element act
/// on consecutive rows; ghosts follow as further senders. Edges are in rows of that order. Memory is reused from call
/// to call.
struct DeviceGraph {
  int rows = 0;     ///< receivers: owned atoms with a species
  int senders = 0;  ///< rows, then ghosts with a species
  long edges = 0;
  std::vector<int> rows_of;       ///< [species] how many (host)
  std::vector<int> order;         ///< [senders] row -> atom of the Graph (host)
  std::vector<int> host_species;  ///< [rows] (host)
  std::vector<int> row_of;        ///< [total] atom -> row, -1 where the atom has no species (host)
  std::vector<long> edge_origin;  ///< [rows] first edge of the row in the Graph (host)
  std::vector<long> host_first;   ///< [rows + 1] (host)

  Buffer<long> first{"isotrope::graph::first"};       ///< [rows + 1]
  Buffer<int> sender{"isotrope::graph::sender"};      ///< [edges] row of the neighbour
  Buffer<int> receiver{"isotrope::graph::receiver"};  ///< [edges]
  Buffer<int> species{"isotrope::graph::species"};    ///< [senders]
  Buffer<double> r{"isotrope::graph::r"};             ///< [edges][3] Å
  Buffer<double> dr{"isotrope::graph::dr"};           ///< [edges][3] tangent, where asked for
  Buffer<double> seed{"isotrope::graph::seed"};       ///< [rows] tangent of the energy's adjoint, where asked for

  /// `group`: how many rows are sorted by species together (0: all).
  void build(const Graph& graph, int species_count, int group = 0);
  /// Where the species of a block of rows, which is within a group, begin, counted from its first row: [species + 1].
  std::vector<int> segment_of(const RowRange& block) const;
  /// Tangent of the edges and dL/dE per graph, brought into the order of the rows.
  void set_tangent(const Graph& graph, std::span<const Vec3> dr, std::span<const double> energy);
  /// Per-edge results [edges][3] of the rows, back in the order of the Graph.
  void edges_to_host(const View<double>& values, std::vector<Vec3>& out) const;

 private:
  void order_atoms(const Graph& graph, int group);
};

}  // namespace isotrope
