// SPDX-License-Identifier: MIT
#include "layers/edge_pairs.hpp"

#include "layers/host_copy.hpp"

namespace isotrope {
namespace {

bool opposite(const double* a, const double* b) {
  return a[0] == -b[0] && a[1] == -b[1] && a[2] == -b[2];
}

}  // namespace

void EdgePairs::build(const DeviceGraph& graph, bool with_tangent) {
  const std::size_t edges = graph.edges;
  const auto sender = host_copy(graph.sender, edges);
  const auto r = host_copy(graph.r, 3 * edges), dr = host_copy(with_tangent ? graph.dr : graph.r, 3 * edges);
  std::vector<int> pair(edges, -1), first_edge;
  first_edge.reserve(edges);
  for (int t = 0; t < graph.rows; ++t) {
    for (long e = graph.host_first[t]; e < graph.host_first[t + 1]; ++e) {
      if (pair[e] >= 0) continue;
      pair[e] = static_cast<int>(first_edge.size());
      first_edge.push_back(static_cast<int>(e));
      const int s = sender(e);
      if (s >= graph.rows) continue;
      for (long k = std::max(e + 1, graph.host_first[s]); k < graph.host_first[s + 1]; ++k) {
        if (sender(k) != t || pair[k] >= 0 || !opposite(&r(3 * e), &r(3 * k)) || !opposite(&dr(3 * e), &dr(3 * k)))
          continue;
        pair[k] = pair[e];
        break;
      }
    }
  }
  count = static_cast<long>(first_edge.size());
  fill_from_host(of_edge, pair.size(), [&](int* out) { std::copy(pair.begin(), pair.end(), out); });
  fill_from_host(edge, first_edge.size(), [&](int* out) { std::copy(first_edge.begin(), first_edge.end(), out); });
}

}  // namespace isotrope
