// SPDX-License-Identifier: MIT
#include "geometry/forces.hpp"

#include "core/error.hpp"

namespace isotrope {
namespace {

void check_size(const char* what, std::size_t found, std::size_t expected) {
  require(found == expected, "The graph needs {} entries in {}, found {}.", expected, what, found);
}

void add_outer(Mat3& m, double scale, const Vec3& a, const Vec3& b) {
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) m[p][q] += scale * a[p] * b[q];
  }
}

Mat3 symmetric_part(const Mat3& m) {
  Mat3 s;
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) s[p][q] = (m[p][q] + m[q][p]) / 2;
  }
  return s;
}

}  // namespace

void assemble_forces(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Vec3>& forces) {
  check_size("dE/dr", dE_dr.size(), graph.neighbour.size());
  forces.assign(graph.total, Vec3{});
  for (int i = 0; i < graph.owned; ++i) {
    Vec3 own{};
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) {
      Vec3& other = forces[graph.neighbour[e]];
      own = own + dE_dr[e];
      other = other - dE_dr[e];
    }
    forces[i] = forces[i] + own;
  }
}

void assemble_stress(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Mat3>& stress) {
  check_size("dE/dr", dE_dr.size(), graph.neighbour.size());
  stress.assign(graph.graphs, Mat3{});
  for (int i = 0; i < graph.owned; ++i) {
    const double volume = graph.volume[graph.graph[i]];
    if (volume == 0) continue;
    Mat3& sum = stress[graph.graph[i]];
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) {
      add_outer(sum, 1 / volume, graph.r[e], dE_dr[e]);
    }
  }
  for (Mat3& s : stress) s = symmetric_part(s);
}

void assemble_atom_virial(const Graph& graph, std::span<const Vec3> dE_dr, std::vector<Mat3>& virial) {
  check_size("dE/dr", dE_dr.size(), graph.neighbour.size());
  virial.assign(graph.owned, Mat3{});
  for (int i = 0; i < graph.owned; ++i) {
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) add_outer(virial[i], -1, graph.r[e], dE_dr[e]);
  }
}

void edge_tangent(const Graph& graph, std::span<const Vec3> v, std::span<const Mat3> S, std::vector<Vec3>& dr) {
  check_size("dL/dF", v.size(), graph.total);
  if (!S.empty()) check_size("dL/d(stress)", S.size(), graph.graphs);
  dr.resize(graph.neighbour.size());
  for (int i = 0; i < graph.owned; ++i) {
    const double volume = S.empty() ? 0 : graph.volume[graph.graph[i]];
    const Mat3 strain = volume == 0 ? Mat3{} : symmetric_part(S[graph.graph[i]]);
    for (std::int64_t e = graph.first[i]; e < graph.first[i + 1]; ++e) {
      dr[e] = v[i] - v[graph.neighbour[e]];
      if (volume != 0) dr[e] = dr[e] + (1 / volume) * (strain * graph.r[e]);
    }
  }
}

}  // namespace isotrope
