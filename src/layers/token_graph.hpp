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
/// atoms. Memory is reused from call to call.
struct TokenGraph {
  static constexpr int prefixes = 2;  ///< charge and multiplicity

  long tokens = 0;
  std::vector<AttentionRange> ranges;  ///< [graphs]
  std::vector<int> atom;               ///< [tokens] atom of the Graph, -1 for a prefix token (host)

  Buffer<int> row{"isotrope::tokens::row"};  ///< [tokens] row of the table of embeddings
  Buffer<double> x{"isotrope::tokens::x"};  ///< [tokens][3] from the centroid of the structure, Å; 0 for prefix tokens
  Buffer<double> dx{"isotrope::tokens::dx"};  ///< [tokens][3] tangent, where asked for

  /// `prefix_rows` [graphs]: rows of the table of embeddings; those of atoms are their species. Atoms of a graph are
  /// consecutive.
  void build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows);
  /// Tangent of the positions [owned], from which that of the centroid is taken off.
  void set_tangent(std::span<const Vec3> dr);
  /// dE/dr_i [owned] from dE/dx [tokens][3]: the centroid moves with every atom.
  void positions_to_host(const Buffer<double>& g_x, std::vector<Vec3>& gradient) const;

 private:
  /// Numbers [tokens][3] from vectors [owned] less their mean over the structure; 0 for prefix tokens.
  void fill_centred(std::span<const Vec3> vectors, Buffer<double>& out);
};

}  // namespace isotrope
