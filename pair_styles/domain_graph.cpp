// SPDX-License-Identifier: GPL-2.0-only
#include "domain_graph.h"

#include "core/error.hpp"
#include "geometry/space_curve.hpp"

namespace isotrope {
namespace {

[[noreturn]] void fail_at(const Domain& domain, int i, int j) {
  const double *a = domain.x[i], *b = domain.x[j];
  fail(
      "every pair of atoms needs a finite distance above zero, but atoms are at ({}, {}, {}) and "
      "({}, {}, {}): look for overlapping atoms in the input, or a time step that is too long",
      a[0], a[1], a[2], b[0], b[1], b[2]);
}

void add_row(const Domain& domain, int i, double cutoff_squared, Graph& graph) {
  const double* xi = domain.x[i];
  for (int k = 0; k < domain.neighbours[i]; ++k) {
    const int j = domain.neighbour[i][k] & domain.mask, sender = domain.place[j];
    if (graph.species[sender] < 0) continue;
    const double* xj = domain.x[j];
    const Vec3 r{xj[0] - xi[0], xj[1] - xi[1], xj[2] - xi[2]};
    const double squared = dot(r, r);
    if (squared >= cutoff_squared) continue;
    if (!(squared > 0)) fail_at(domain, i, j);
    graph.neighbour.push_back(sender);
    graph.r.push_back(r);
  }
}

}  // namespace

void build_domain_graph(const Domain& domain, double cutoff, Graph& graph) {
  graph.owned = domain.owned;
  graph.total = domain.atoms;
  graph.species.resize(domain.atoms);
  for (int i = 0; i < domain.total; ++i) graph.species[domain.place[i]] = domain.species[domain.type[i]];
  graph.graph.assign(domain.owned, 0);
  graph.position.clear();
  for (int i = 0; i < domain.owned; ++i) graph.position.push_back({domain.x[i][0], domain.x[i][1], domain.x[i][2]});
  graph.curve = order_along_curve(graph.position);
  graph.first.resize(domain.owned + 1);
  graph.neighbour.clear();
  graph.r.clear();

  // Rows come in ascending order of atoms, with gaps under hybrid styles.
  int i = 0;
  for (int row = 0; row < domain.rows; ++row) {
    const int receiver = domain.atom[row];
    require(receiver >= i, "expected a neighbour list sorted by atom");
    while (i <= receiver) graph.first[i++] = graph.edges();
    if (graph.species[receiver] >= 0) add_row(domain, receiver, cutoff * cutoff, graph);
  }
  while (i <= domain.owned) graph.first[i++] = graph.edges();
}

}  // namespace isotrope
