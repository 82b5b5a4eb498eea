// SPDX-License-Identifier: MIT
#include "layers/token_graph.hpp"

namespace isotrope {
namespace {

/// Host memory of the buffer's first `size` elements, which is copied to the device at the end.
template <class T, class F>
void fill(Buffer<T>& buffer, std::size_t size, const F& f) {
  buffer.reserve(size);
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), size));
  auto host = Kokkos::create_mirror_view(part);
  f(host.data());
  Kokkos::deep_copy(part, host);
}

}  // namespace

void TokenGraph::build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows) {
  ranges.clear();
  atom.clear();
  int i = 0;
  for (int g = 0; g < graph.graphs; ++g) {
    const long begin = static_cast<long>(atom.size());
    atom.insert(atom.end(), prefixes, -1);
    for (; i < graph.owned && graph.graph[i] == g; ++i) {
      if (graph.species[i] >= 0) atom.push_back(i);
    }
    const long end = static_cast<long>(atom.size());
    ranges.push_back({begin, end, begin, end});
  }
  tokens = static_cast<long>(atom.size());
  fill(row, tokens, [&](int* out) {
    for (long t = 0; t < tokens; ++t) out[t] = atom[t] < 0 ? 0 : graph.species[atom[t]];
    for (int g = 0; g < graph.graphs; ++g) {
      for (int k = 0; k < prefixes; ++k) out[ranges[g].query_begin + k] = prefix_rows[g][k];
    }
  });
  fill_centred(graph.position, x);
}

void TokenGraph::set_tangent(std::span<const Vec3> dr) {
  fill_centred(dr, dx);
}

void TokenGraph::fill_centred(std::span<const Vec3> vectors, Buffer<double>& out) {
  fill(out, 3 * tokens, [&](double* numbers) {
    for (const AttentionRange& range : ranges) {
      Vec3 mean{};
      const double atoms = static_cast<double>(range.query_end - range.query_begin - prefixes);
      for (long t = range.query_begin + prefixes; t < range.query_end; ++t)
        mean = mean + (1 / atoms) * vectors[atom[t]];
      for (long t = range.query_begin; t < range.query_end; ++t) {
        const Vec3 from_mean = atom[t] < 0 ? Vec3{} : vectors[atom[t]] - mean;
        std::copy(from_mean.begin(), from_mean.end(), numbers + 3 * t);
      }
    }
  });
}

void TokenGraph::positions_to_host(const Buffer<double>& g_x, std::vector<Vec3>& gradient) const {
  const auto part = Kokkos::subview(g_x.view(), std::make_pair(0L, 3 * tokens));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (const AttentionRange& range : ranges) {
    Vec3 mean{};
    const double atoms = static_cast<double>(range.query_end - range.query_begin - prefixes);
    for (long t = range.query_begin + prefixes; t < range.query_end; ++t) {
      gradient[atom[t]] = {host(3 * t), host(3 * t + 1), host(3 * t + 2)};
      mean = mean + (1 / atoms) * gradient[atom[t]];
    }
    for (long t = range.query_begin + prefixes; t < range.query_end; ++t) gradient[atom[t]] = gradient[atom[t]] - mean;
  }
}

}  // namespace isotrope
