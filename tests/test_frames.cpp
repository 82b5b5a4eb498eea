// SPDX-License-Identifier: MIT
// Frames of molecules: axes, their derivatives beside finite differences, and what happens where axes are degenerate.
#include "geometry/frames.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/physics_checks.hpp"
#include "support/transip_fixture.hpp"

namespace isotrope {
namespace {

using testing::TransipFixture;

double product(const Mat3& a, const Mat3& b) {
  return dot(a[0], b[0]) + dot(a[1], b[1]) + dot(a[2], b[2]);
}
Mat3 shifted(const Mat3& a, double t, const Mat3& b) {
  return {a[0] + t * b[0], a[1] + t * b[1], a[2] + t * b[2]};
}
double largest(const Mat3& m) {
  double most = 0;
  for (const Vec3& row : m) {
    for (const double x : row) {
      if (!(std::abs(x) <= most)) most = std::abs(x);  // keeps NaN
    }
  }
  return most;
}

const Mat3 covariance{Vec3{5.0, 0.7, -0.3}, {0.7, 3.2, 0.4}, {-0.3, 0.4, 2.1}};
const Mat3 direction{Vec3{0.3, -0.2, 0.5}, {-0.2, 0.1, 0.6}, {0.5, 0.6, -0.4}};

TEST(MolecularAxes, Diagonalise) {
  const MolecularAxes axes(covariance, 5, 0.02);
  EXPECT_EQ(axes.weight(), 1);
  EXPECT_NEAR(determinant(axes.axes()), 1, 1e-14);
  Vec3 lambda;
  for (int a = 0; a < 3; ++a) {
    const Vec3 image = covariance * axes.axes()[a];
    lambda[a] = dot(axes.axes()[a], image);
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(image[k], lambda[a] * axes.axes()[a][k], 1e-14);
  }
  EXPECT_GT(lambda[0], lambda[1]);
  EXPECT_GT(lambda[1], lambda[2]);
  EXPECT_NEAR(axes.smallest_gap(), std::min(lambda[0] - lambda[1], lambda[1] - lambda[2]) / lambda[0], 1e-14);
}

TEST(MolecularAxes, Signs) {
  EXPECT_EQ(frame_signs(FrameGroup::so3).size(), 4U);
  EXPECT_EQ(frame_signs(FrameGroup::o3).size(), 8U);
  for (const Vec3& s : frame_signs(FrameGroup::so3)) EXPECT_EQ(s[0] * s[1] * s[2], 1);
}

/// Where frames count fully, and where they fade.
TEST(MolecularAxes, TangentIsThatOfFiniteDifferences) {
  for (const double gap_switch : {0.02, 0.6}) {
    const MolecularAxes axes(covariance, 5, gap_switch);
    EXPECT_EQ(axes.weight() < 1, gap_switch == 0.6);
    const auto tangent = axes.tangent(direction);
    constexpr double h = 1e-5;
    const MolecularAxes up(shifted(covariance, h, direction), 5, gap_switch),
        down(shifted(covariance, -h, direction), 5, gap_switch);
    EXPECT_LE(largest(shifted(shifted(tangent.axes, -1 / (2 * h), up.axes()), 1 / (2 * h), down.axes())), 1e-9);
    EXPECT_NEAR(tangent.weight, (up.weight() - down.weight()) / (2 * h), 1e-9);
  }
}

TEST(MolecularAxes, AdjointIsTheTransposeOfTheTangent) {
  const Mat3 g_axes{Vec3{0.2, 1.3, -0.4}, {0.8, -0.6, 0.1}, {0.9, 0.3, -1.1}};
  for (const double gap_switch : {0.02, 0.6}) {
    for (const int atoms : {2, 5}) {
      const MolecularAxes axes(covariance, atoms, gap_switch);
      const auto tangent = axes.tangent(direction);
      const Mat3 adjoint = axes.adjoint(g_axes, 0.7);
      EXPECT_NEAR(product(adjoint, direction), product(g_axes, tangent.axes) + 0.7 * tangent.weight, 1e-13);
    }
  }
}

TEST(MolecularAxes, NothingIsInfiniteWhereAxesAreDegenerate) {
  const Mat3 tops[] = {{Vec3{2, 0, 0}, {0, 2, 0}, {0, 0, 1}},
                       {Vec3{2, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                       {Vec3{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                       {Vec3{1, 0, 0}, {0, 0, 0}, {0, 0, 0}},
                       {}};
  for (const Mat3& top : tops) {
    const MolecularAxes axes(top, 5, 0.02);
    EXPECT_EQ(axes.weight(), 0);
    EXPECT_EQ(axes.smallest_gap(), 0);
    EXPECT_LE(largest(axes.tangent(direction).axes), 0);
    EXPECT_LE(largest(axes.adjoint(direction, 1)), 0);
  }
  const MolecularAxes two(tops[3], 2, 0.02), one({}, 1, 0.02);
  EXPECT_EQ(two.weight(), 1);
  EXPECT_EQ(two.smallest_gap(), 1);
  EXPECT_EQ(one.weight(), 0);
}

// ---- a potential averaged over frames ------------------------------------------------------------------------------

Structure ammonia(double stretch) {
  Structure s;
  s.numbers = {8, 1, 1, 1};
  const double third = 2 * 3.14159265358979323846 / 3;
  s.positions.push_back({0.1, 0.2, 0.35});
  for (int k = 0; k < 3; ++k) s.positions.push_back({0.1 + std::cos(k * third), 0.2 + std::sin(k * third), 0});
  s.positions[1][0] += stretch;
  s.charge = 0, s.multiplicity = 2;
  return s;
}

/// Along a path through a symmetric top the energy has no jump and the forces stay its derivative.
TEST(Framed, PassesThroughASymmetricTop) {
  const TransipFixture fixture("frames_so3");
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  const auto subject = checked(*potential, Precision::double_precision);
  for (double stretch = -0.02; stretch < 0.0205; stretch += 0.002) {
    constexpr double h = 1e-6;  // the weight of the frames changes within 0.01 Å
    const Observables at = subject.evaluate(ammonia(stretch)), up = subject.evaluate(ammonia(stretch + h)),
                      down = subject.evaluate(ammonia(stretch - h));
    EXPECT_NEAR(at.forces[1][0], -(up.energy - down.energy) / (2 * h), 1e-6) << stretch;
  }
}

TEST(Framed, SaysThatItIsInvariant) {
  for (const auto& [name, symmetry] : {std::pair{"frames_so3", Symmetry::so3}, {"frames_o3_direct", Symmetry::o3}}) {
    const TransipFixture fixture(name);
    const auto potential = make_potential(fixture.model, Precision::single_precision);
    EXPECT_EQ(potential->info().symmetry, symmetry);
    EXPECT_EQ(potential->info().latent_width, 0);
  }
}

}  // namespace
}  // namespace isotrope
