// SPDX-License-Identifier: MIT
#include "layers/device_graph.hpp"

#include <algorithm>
#include <numeric>

#include "layers/host_copy.hpp"

namespace isotrope {
void DeviceGraph::order_atoms(const Graph& graph, int group) {
  const auto mine = [&](int atom) { return graph.species[atom] >= 0; };
  const auto by_species = [&](int a, int b) { return graph.species[a] < graph.species[b]; };
  order.clear();
  for (int k = 0; k < graph.owned; ++k) {
    const int atom = graph.curve.empty() ? k : graph.curve[k];
    if (mine(atom)) order.push_back(atom);
  }
  rows = static_cast<int>(order.size());
  for (int begin = 0; begin < rows;) {
    const int end = group > 0 ? std::min(rows, begin + group) : rows;
    std::stable_sort(order.begin() + begin, order.begin() + end, by_species);
    begin = end;
  }
  for (int atom = graph.owned; atom < graph.total; ++atom) {
    if (mine(atom)) order.push_back(atom);
  }
  senders = static_cast<int>(order.size());
}

void DeviceGraph::build(const Graph& graph, int species_count, int group) {
  order_atoms(graph, group);
  row_of.assign(graph.total, -1);
  for (int row = 0; row < senders; ++row) row_of[order[row]] = row;
  host_species.resize(rows);
  rows_of.assign(species_count, 0);
  for (int row = 0; row < rows; ++row) ++rows_of[host_species[row] = graph.species[order[row]]];

  host_first.assign(rows + 1, 0);
  edge_origin.resize(rows);
  for (int row = 0; row < rows; ++row) {
    edge_origin[row] = graph.first[order[row]];
    host_first[row + 1] = host_first[row] + graph.first[order[row] + 1] - edge_origin[row];
  }
  edges = host_first[rows];

  fill_from_host(first, rows + 1, [&](long* out) { std::copy(host_first.begin(), host_first.end(), out); });
  fill_from_host(species, senders, [&](int* out) {
    for (int row = 0; row < senders; ++row) out[row] = graph.species[order[row]];
  });
  auto per_edge = [&](auto&& f) {
    for (int row = 0; row < rows; ++row) {
      for (long e = host_first[row]; e < host_first[row + 1]; ++e) f(row, e, edge_origin[row] + e - host_first[row]);
    }
  };
  fill_from_host(sender, edges,
                 [&](int* out) { per_edge([&](int, long e, long o) { out[e] = row_of[graph.neighbour[o]]; }); });
  fill_from_host(receiver, edges, [&](int* out) { per_edge([&](int row, long e, long) { out[e] = row; }); });
  fill_from_host(r, 3 * edges, [&](double* out) {
    per_edge([&](int, long e, long o) { std::copy(graph.r[o].begin(), graph.r[o].end(), out + 3 * e); });
  });
}

std::vector<int> DeviceGraph::segment_of(const RowRange& block) const {
  std::vector<int> segment(rows_of.size() + 1, 0);
  for (int row = block.begin; row < block.end; ++row) ++segment[host_species[row] + 1];
  std::partial_sum(segment.begin(), segment.end(), segment.begin());
  return segment;
}

void DeviceGraph::set_tangent(const Graph& graph, std::span<const Vec3> tangent, std::span<const double> energy) {
  fill_from_host(dr, 3 * edges, [&](double* out) {
    for (int row = 0; row < rows && !tangent.empty(); ++row) {
      for (long e = host_first[row]; e < host_first[row + 1]; ++e) {
        const Vec3& t = tangent[edge_origin[row] + e - host_first[row]];
        std::copy(t.begin(), t.end(), out + 3 * e);
      }
    }
  });
  fill_from_host(seed, rows, [&](double* out) {
    for (int row = 0; row < rows; ++row) out[row] = energy[graph.graph[order[row]]];
  });
}

void DeviceGraph::edges_to_host(const View<double>& values, std::vector<Vec3>& out) const {
  const auto part = Kokkos::subview(values, std::make_pair(std::size_t(0), static_cast<std::size_t>(3 * edges)));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (int row = 0; row < rows; ++row) {
    for (long e = host_first[row]; e < host_first[row + 1]; ++e) {
      out[edge_origin[row] + e - host_first[row]] = {host(3 * e), host(3 * e + 1), host(3 * e + 2)};
    }
  }
}

}  // namespace isotrope
