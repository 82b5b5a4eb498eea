// SPDX-License-Identifier: MIT
#include "layers/neighbour_tokens.hpp"

#include <map>

#include "layers/host_copy.hpp"

namespace isotrope {
namespace {

template <class T>
void upload(const std::vector<T>& values, Buffer<T>& buffer) {
  fill_from_host(buffer, values.size(), [&](T* out) { std::copy(values.begin(), values.end(), out); });
}
void upload(const std::vector<Vec3>& values, Buffer<double>& buffer) {
  fill_from_host(buffer, 3 * values.size(), [&](double* out) {
    for (std::size_t e = 0; e < values.size(); ++e) std::copy(values[e].begin(), values[e].end(), out + 3 * e);
  });
}

}  // namespace

void NeighbourTokens::build(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows, int species) {
  place_tokens(graph, prefix_rows, species);
  place_edges(graph);
  upload(rows_, row);
  upload(first_, first);
  upload(keys_, key);
  upload(r_, r);
}

void NeighbourTokens::place_tokens(const Graph& graph, std::span<const std::array<int, prefixes>> prefix_rows,
                                   int species) {
  atom.clear();
  rows_.clear();
  key_of.assign(graph.total, -1);
  for (int i = 0; i < graph.owned; ++i) {
    if (graph.species[i] < 0) continue;
    key_of[i] = static_cast<long>(atom.size());
    atom.push_back(i);
    rows_.push_back(graph.species[i]);
  }
  std::map<std::array<int, prefixes>, long> place;
  const long atoms = static_cast<long>(atom.size());
  for (const auto& rows : prefix_rows) {
    if (!place.try_emplace(rows, static_cast<long>(rows_.size())).second) continue;
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    for (int s = 0; s < species; ++s) rows_.push_back(s);
  }
  tokens = keys = static_cast<long>(rows_.size());
  atom.resize(tokens, -1);
  for (int i = graph.owned; i < graph.total; ++i) {
    if (graph.species[i] >= 0) key_of[i] = keys++;
  }
  lone.assign(tokens, -1);
  prefix_.resize(tokens);
  for (long t = 0; t < atoms; ++t) {
    prefix_[t] = place.at(prefix_rows[graph.graph[atom[t]]]);
    lone[t] = prefix_[t] + prefixes + graph.species[atom[t]];
  }
  for (long t = atoms; t < tokens; ++t) prefix_[t] = atoms + (t - atoms) / (prefixes + species) * (prefixes + species);
}

void NeighbourTokens::place_edges(const Graph& graph) {
  first_.assign(1, 0);
  keys_.clear();
  r_.clear();
  alone.assign(tokens, false);
  edge_of.assign(graph.edges(), -1);
  const auto add = [&](long to, const Vec3& way) {
    keys_.push_back(static_cast<int>(to));
    r_.push_back(way);
  };
  for (long t = 0; t < tokens; ++t) {
    const bool is_prefix = t >= prefix_[t] && t < prefix_[t] + prefixes;
    if (!is_prefix) add(t, {});
    for (int k = 0; k < prefixes; ++k) add(prefix_[t] + k, {});
    if (const int i = atom[t]; i >= 0) {
      alone[t] = graph.first[i] == graph.first[i + 1];
      for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) {
        edge_of[e] = static_cast<long>(keys_.size());
        add(key_of[graph.neighbour[e]], graph.r[e]);
      }
    }
    first_.push_back(static_cast<long>(keys_.size()));
  }
  edges = static_cast<long>(keys_.size());
}

void NeighbourTokens::set_tangent(std::span<const Vec3> tangent) {
  std::vector<Vec3> moves(edges, Vec3{});
  for (std::size_t e = 0; e < edge_of.size(); ++e) {
    if (edge_of[e] >= 0) moves[edge_of[e]] = tangent[e];
  }
  upload(moves, dr);
}

void NeighbourTokens::edges_to_host(const Buffer<double>& values, std::vector<Vec3>& out) const {
  const auto part = Kokkos::subview(values.view(), std::make_pair(0L, 3 * edges));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (std::size_t e = 0; e < edge_of.size(); ++e) {
    const long at = 3 * edge_of[e];
    out[e] = at < 0 ? Vec3{} : Vec3{host(at), host(at + 1), host(at + 2)};
  }
}

}  // namespace isotrope
