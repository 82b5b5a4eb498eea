// SPDX-License-Identifier: MIT
#pragma once
#include "core/random.hpp"
#include "geometry/graph.hpp"

namespace isotrope::test {

/// A graph with everything that LAMMPS may hand over: species out of order, one that is absent (1 of 3), atoms of
/// another potential (-1), an atom without neighbours, ghosts, two structures.
inline Graph small_graph() {
  Graph graph;
  graph.owned = 7;
  graph.total = 11;
  graph.species = {2, 0, -1, 2, 0, 0, 2, /* ghosts */ 0, -1, 2, 0};
  graph.graphs = 2;
  graph.graph = {0, 0, 0, 0, 1, 1, 1};
  const std::vector<std::vector<int>> neighbours{{1, 3, 7, 9}, {0, 10, 5}, {}, {0}, {}, {9, 1, 7, 6, 0}, {5, 10}};
  SplitMix random(5);
  graph.first = {0};
  for (const auto& row : neighbours) {
    for (const int j : row) {
      graph.neighbour.push_back(j);
      graph.r.push_back({random.normal(), random.normal(), random.normal()});
    }
    graph.first.push_back(graph.edges());
  }
  return graph;
}

}  // namespace isotrope::test
