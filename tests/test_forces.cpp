// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "geometry/forces.hpp"
#include "geometry/graph.hpp"
#include "support/random_structure.hpp"

namespace isotrope {
namespace {

using namespace testing_support;

/// A toy energy, a sum over directed edges that is neither symmetric in i and j nor central: a wrong sign or owner
/// shows.
double toy_energy(const Graph& graph, std::vector<Vec3>* dE_dr = nullptr) {
  double energy = 0;
  if (dE_dr) dE_dr->resize(graph.neighbour.size());
  for (int i = 0; i < graph.owned; ++i) {
    for (auto e = graph.first[i]; e < graph.first[i + 1]; ++e) {
      const Vec3& r = graph.r[e];
      const double c = 0.3 + 0.2 * graph.species[i] + 0.5 * graph.species[graph.neighbour[e]] * graph.species[i];
      const double gap = 9 - dot(r, r), tilt = 1 + 0.1 * r[0] - 0.2 * r[1] * r[2];
      energy += c * gap * gap * gap * tilt * 1e-3;
      if (!dE_dr) continue;
      const Vec3 tilt_gradient = {0.1, -0.2 * r[2], -0.2 * r[1]};
      (*dE_dr)[e] = (c * 1e-3 * gap * gap) * (gap * tilt_gradient + (-6 * tilt) * r);
    }
  }
  return energy;
}

class Forces : public testing::Test {
 protected:
  Generator generator{7};
  SpeciesMap species{{1, 8}};
  Structure crystal = random_structure(generator, 4, random_cell(generator, 4, 5), {true, true, true});
  double energy_of(const Structure& s) const { return toy_energy(make_graph(s, species, 3)); }
};

TEST_F(Forces, AreMinusTheGradientOfTheEnergy) {
  const Graph graph = make_graph(crystal, species, 3);
  std::vector<Vec3> g, forces;
  toy_energy(graph, &g);
  assemble_forces(graph, g, forces);
  const double h = 1e-5;
  for (int i = 0; i < crystal.size(); ++i) {
    for (int k = 0; k < 3; ++k) {
      Structure plus = crystal, minus = crystal;
      plus.positions[i][k] += h;
      minus.positions[i][k] -= h;
      EXPECT_NEAR(forces[i][k], -(energy_of(plus) - energy_of(minus)) / (2 * h), 1e-9);
    }
  }
}

TEST_F(Forces, StressIsTheStrainDerivativeOverVolume) {
  const Graph graph = make_graph(crystal, species, 3);
  std::vector<Vec3> g;
  std::vector<Mat3> stress, virial;
  toy_energy(graph, &g);
  assemble_stress(graph, g, stress);
  assemble_atom_virial(graph, g, virial);
  ASSERT_EQ(stress.size(), 1u);
  ASSERT_EQ(virial.size(), 4u);
  const double h = 1e-5;
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) {
      const auto strained = [&](double amount) {
        Mat3 deformation = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
        deformation[p][q] += amount / 2;
        deformation[q][p] += amount / 2;
        Structure s = crystal;
        for (Vec3& x : s.positions) x = deformation * x;
        for (Vec3& a : s.cell) a = deformation * a;
        return energy_of(s);
      };
      const double expected = (strained(h) - strained(-h)) / (2 * h) / graph.volume[0];
      EXPECT_NEAR(stress[0][p][q], expected, 1e-9);
      double sum = 0;
      for (const Mat3& w : virial) sum += (w[p][q] + w[q][p]) / 2;
      EXPECT_NEAR(sum, -expected * graph.volume[0], 1e-9);
    }
  }
}

TEST_F(Forces, VirialIsBookedOnTheReceiver) {
  Graph pair;
  pair.owned = 1;
  pair.total = 2;
  pair.species = {0, 0};
  pair.first = {0, 1};
  pair.neighbour = {1};
  pair.r = {{1, 2, 3}};
  pair.graph = {0};
  pair.volume = {0};
  const std::vector<Vec3> g = {{10, 20, 40}};
  std::vector<Mat3> virial, stress;
  std::vector<Vec3> forces;
  assemble_atom_virial(pair, g, virial);
  EXPECT_EQ(virial, (std::vector<Mat3>{{{{-10, -20, -40}, {-20, -40, -80}, {-30, -60, -120}}}}));
  assemble_forces(pair, g, forces);
  EXPECT_EQ(forces, (std::vector<Vec3>{{10, 20, 40}, {-10, -20, -40}}));
  assemble_stress(pair, g, stress);
  EXPECT_EQ(stress, std::vector<Mat3>(1));
  EXPECT_THROW(assemble_forces(pair, std::vector<Vec3>(2), forces), Error);
}

TEST_F(Forces, TangentIsTheAdjoint) {
  const Structure slab = random_structure(generator, 5, crystal.cell, {true, false, true});
  const Structure* both[] = {&crystal, &slab};
  const Graph graph = make_graph(both, species, 3);
  std::vector<Vec3> g, v, forces, dr;
  std::vector<Mat3> S(2), stress;
  for (std::size_t e = 0; e < graph.r.size(); ++e) g.push_back(random_vector(generator, 1));
  for (int i = 0; i < graph.total; ++i) v.push_back(random_vector(generator, 1));
  for (Mat3& s : S) {
    for (Vec3& row : s) row = random_vector(generator, 100);  // not symmetric: only its symmetric part may count
  }
  assemble_forces(graph, g, forces);
  assemble_stress(graph, g, stress);
  edge_tangent(graph, v, S, dr);
  double left = 0, right = 0;
  for (int i = 0; i < graph.total; ++i) left += dot(v[i], forces[i]);
  const double of_forces = left;
  for (int s = 0; s < 2; ++s) {
    for (int p = 0; p < 3; ++p) left += dot(S[s][p], stress[s][p]);
  }
  for (std::size_t e = 0; e < g.size(); ++e) right += dot(dr[e], g[e]);
  EXPECT_GT(std::abs(left - of_forces), 1);
  EXPECT_NEAR(left, right, 1e-11 * std::abs(left));
  edge_tangent(graph, v, {}, dr);
  right = 0;
  for (std::size_t e = 0; e < g.size(); ++e) right += dot(dr[e], g[e]);
  EXPECT_NEAR(of_forces, right, 1e-11 * std::abs(left));
}

}  // namespace
}  // namespace isotrope
