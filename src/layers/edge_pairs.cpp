// SPDX-License-Identifier: MIT
#include "layers/edge_pairs.hpp"

namespace isotrope {
namespace {

template <class T>
auto on_host(const Buffer<T>& buffer, std::size_t size) {
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), size));
  return Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), part);
}

void to_buffer(const std::vector<int>& values, Buffer<int>& buffer) {
  buffer.reserve(values.size());
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), values.size()));
  using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
  Kokkos::deep_copy(part, Kokkos::View<const int*, Kokkos::HostSpace, Unmanaged>(values.data(), values.size()));
}

bool opposite(const double* a, const double* b) {
  return a[0] == -b[0] && a[1] == -b[1] && a[2] == -b[2];
}

}  // namespace

void EdgePairs::build(const DeviceGraph& graph, bool with_tangent) {
  const std::size_t edges = graph.edges;
  const auto sender = on_host(graph.sender, edges);
  const auto r = on_host(graph.r, 3 * edges), dr = on_host(with_tangent ? graph.dr : graph.r, 3 * edges);
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
  to_buffer(pair, of_edge);
  to_buffer(first_edge, edge);
}

}  // namespace isotrope
