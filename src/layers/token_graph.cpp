// SPDX-License-Identifier: MIT
#include "layers/token_graph.hpp"

#include "layers/host_copy.hpp"

namespace isotrope {
void TokenGraph::build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows) {
  ranges.clear();
  atom.clear();
  atoms_.clear();
  int i = 0;
  for (int g = 0; g < graph.graphs; ++g) {
    const long begin = static_cast<long>(atom.size());
    if (graph.has_prefix) atom.insert(atom.end(), prefixes, -1);
    const long first = static_cast<long>(atom.size());
    for (; i < graph.owned && graph.graph[i] == g; ++i) {
      if (graph.species[i] >= 0) atom.push_back(i);
    }
    const long end = static_cast<long>(atom.size());
    ranges.push_back({begin, end, begin, end});
    atoms_.push_back(static_cast<double>(end - first));
  }
  tokens = static_cast<long>(atom.size());
  place_keys(graph);
  fill_from_host(row, tokens, [&](int* out) {
    for (long t = 0, g = -1, prefix = 0; t < tokens; ++t) {
      if (atom[t] >= 0) {
        out[t] = graph.species[atom[t]];
        continue;
      }
      if (prefix % prefixes == 0) ++g;
      out[t] = prefix_rows[g][prefix++ % prefixes];
    }
  });
  fill_centred(&graph, graph.position, x);
}

/// What other ranks have of the structure comes after this rank's tokens.
void TokenGraph::place_keys(const Graph& graph) {
  key_of.assign(graph.total + prefixes, -1);
  keys = 0;
  for (int prefix = 0; keys < tokens; ++keys)
    key_of[atom[keys] >= 0 ? atom[keys] : graph.total + prefix++ % prefixes] = keys;
  if (!graph.has_prefix) {
    for (int k = 0; k < prefixes; ++k) key_of[graph.total + k] = keys++;
  }
  for (int i = graph.owned; i < graph.total; ++i) {
    if (graph.species[i] < 0) continue;
    key_of[i] = keys++;
    atoms_[0] += 1;
  }
  if (keys > tokens) ranges[0].key_end = keys;
}

void TokenGraph::set_tangent(std::span<const Vec3> dr) {
  fill_centred(nullptr, dr, dx);
}

void TokenGraph::fill_centred(const Graph* graph, std::span<const Vec3> vectors, Buffer<double>& out) {
  fill_from_host(out, 3 * tokens, [&](double* numbers) {
    for (std::size_t g = 0; g < ranges.size(); ++g) {
      Vec3 mean{};
      for (long t = ranges[g].query_begin; t < ranges[g].query_end; ++t) {
        if (atom[t] >= 0) mean = mean + (1 / atoms_[g]) * vectors[atom[t]];
      }
      for (int i = graph ? graph->owned : 0; graph && i < graph->total; ++i) {
        if (graph->species[i] >= 0) mean = mean + (1 / atoms_[g]) * vectors[i];
      }
      for (long t = ranges[g].query_begin; t < ranges[g].query_end; ++t) {
        const Vec3 from_mean = atom[t] < 0 ? Vec3{} : vectors[atom[t]] - mean;
        std::copy(from_mean.begin(), from_mean.end(), numbers + 3 * t);
      }
    }
  });
}

std::vector<Vec3> TokenGraph::prefix_gradient(const Buffer<double>& g_x) const {
  const auto host = host_copy(g_x, 3 * tokens);
  std::vector<Vec3> sums(ranges.size(), Vec3{});
  for (std::size_t g = 0; g < ranges.size(); ++g) {
    for (long t = ranges[g].query_begin; t < ranges[g].query_end && atom[t] < 0; ++t)
      sums[g] = sums[g] + Vec3{host(3 * t), host(3 * t + 1), host(3 * t + 2)};
  }
  return sums;
}

void TokenGraph::positions_to_host(const Buffer<double>& g_x, std::span<const Vec3> prefix,
                                   std::vector<Vec3>& gradient) const {
  const auto host = host_copy(g_x, 3 * tokens);
  for (std::size_t g = 0; g < ranges.size(); ++g) {
    for (long t = ranges[g].query_begin; t < ranges[g].query_end; ++t) {
      if (atom[t] < 0) continue;
      gradient[atom[t]] = Vec3{host(3 * t), host(3 * t + 1), host(3 * t + 2)} + (1 / atoms_[g]) * prefix[g];
    }
  }
}

}  // namespace isotrope
