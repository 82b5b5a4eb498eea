// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <span>
#include <vector>

#include "core/kokkos_ext.hpp"
#include "geometry/graph.hpp"

namespace isotrope {

/// A batch as kernels of the local variant of TransIP read it. Tokens are the owned atoms and then, for every pair of
/// charge and multiplicity in the batch, its two prefix tokens and a lone atom of each species: what an atom would be
/// without neighbours. Edges of a token lead to itself, to the prefix tokens of its structure, and to its neighbours;
/// those of a prefix token to the two prefix tokens, so that they see no atom and everything stays local. Keys are the
/// tokens and then the ghosts. Memory is reused from call to call.
struct NeighbourTokens {
  static constexpr int prefixes = 2;  ///< charge and multiplicity

  long tokens = 0, keys = 0, edges = 0;
  std::vector<int> atom;      ///< [tokens] atom of the Graph, -1 for other tokens (host)
  std::vector<long> lone;     ///< [tokens] the lone atom of an atom; -1 for other tokens (host)
  std::vector<bool> alone;    ///< [tokens] an atom without neighbours (host)
  std::vector<long> key_of;   ///< [graph.total] place of an atom among the keys, -1: it has none (host)
  std::vector<long> edge_of;  ///< [graph edges] place among the edges, -1 where the receiver has no species (host)

  Buffer<int> row{"isotrope::neighbour_tokens::row"};       ///< [tokens] row of the table of embeddings
  Buffer<long> first{"isotrope::neighbour_tokens::first"};  ///< [tokens + 1]
  Buffer<int> key{"isotrope::neighbour_tokens::key"};       ///< [edges]
  Buffer<double> r{"isotrope::neighbour_tokens::r"};        ///< [edges][3] Å; 0 where the edge is no pair of atoms
  Buffer<double> dr{"isotrope::neighbour_tokens::dr"};      ///< [edges][3] tangent, where asked for

  /// `prefix_rows` [graphs]: rows of the table of embeddings; those of atoms are their species.
  void build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows, int species);
  /// Tangent of the edges of the graph.
  void set_tangent(std::span<const Vec3> tangent);
  /// Numbers [edges][3] of the edges of the graph.
  void edges_to_host(const Buffer<double>& values, std::vector<Vec3>& out) const;

 private:
  void place_tokens(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows, int species);
  void place_edges(const Graph& graph);

  std::vector<int> rows_;
  std::vector<long> prefix_;  ///< [tokens] the first of its prefix tokens
  std::vector<long> first_;
  std::vector<int> keys_;
  std::vector<Vec3> r_;
};

}  // namespace isotrope
