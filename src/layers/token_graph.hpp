// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <span>
#include <vector>

#include "core/kokkos_ext.hpp"
#include "geometry/graph.hpp"
#include "layers/attention.hpp"

namespace isotrope {

/// A batch as kernels of a Transformer read it: of each structure first its prefix tokens, then a token for each of its
/// atoms. Of a structure that several ranks share, a rank has its own atoms as tokens (and the first rank the prefix
/// tokens), and after them, as keys alone, what the other ranks have. Memory is reused from call to call.
struct TokenGraph {
  static constexpr int prefixes = 2;  ///< charge and multiplicity

  long tokens = 0;                     ///< that this rank computes
  long keys = 0;                       ///< tokens, then those of other ranks
  std::vector<AttentionRange> ranges;  ///< [graphs]
  std::vector<int> atom;               ///< [tokens] atom of the Graph, -1 for a prefix token (host)
  /// [graph.total + prefixes] place of an atom, then of the prefix tokens, among the keys; -1: it has none (host). Of
  /// use where there is one structure.
  std::vector<long> key_of;

  Buffer<int> row{"isotrope::tokens::row"};  ///< [tokens] row of the table of embeddings
  Buffer<double> x{"isotrope::tokens::x"};  ///< [tokens][3] from the centroid of the structure, Å; 0 for prefix tokens
  Buffer<double> dx{"isotrope::tokens::dx"};  ///< [tokens][3] tangent, where asked for

  /// `prefix_rows` [graphs]: rows of the table of embeddings; those of atoms are their species. Atoms of a graph are
  /// consecutive.
  void build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows);
  /// Tangent of the positions [owned], from which that of the centroid is taken off. No ghosts.
  void set_tangent(std::span<const Vec3> dr);
  /// dE/dr_i [owned] from dE/dx [tokens][3]: the centroid moves with every atom. `prefix` [graphs]: the sum of dE/dx
  /// over the prefix tokens, which is minus that over the atoms, because only differences of positions matter.
  void positions_to_host(const Buffer<double>& g_x, std::span<const Vec3> prefix, std::vector<Vec3>& gradient) const;
  /// The sum of dE/dx [tokens][3] over the prefix tokens of each graph; 0 where they are another rank's.
  std::vector<Vec3> prefix_gradient(const Buffer<double>& g_x) const;

 private:
  void place_keys(const Graph& graph);
  /// Numbers [tokens][3] from vectors [total] less their mean over the structure; 0 for prefix tokens.
  void fill_centred(const Graph* graph, std::span<const Vec3> vectors, Buffer<double>& out);

  std::vector<double> atoms_;  ///< [graphs] of all ranks
};

}  // namespace isotrope
