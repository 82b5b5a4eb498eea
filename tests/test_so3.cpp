// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "core/error.hpp"
#include "core/lane.hpp"
#include "io/hdf5.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/spherical_harmonics.hpp"
#include "so3/wigner_d.hpp"

namespace isotrope {
namespace {

constexpr int all = harmonics_size(highest_l);
const Mat3 inversion = {{{-1, 0, 0}, {0, -1, 0}, {0, 0, -1}}};

std::vector<double> harmonics_of(const Vec3& r) {
  std::vector<double> Y(all);
  spherical_harmonics<highest_l>(r[0], r[1], r[2], Y.data());
  return Y;
}

Vec3 random_vector(std::uint64_t seed) {
  const Mat3 rotation = random_rotation(seed);
  return (0.5 + 0.1 * static_cast<double>(seed % 30)) * rotation[0];
}

Mat3 product(const Mat3& a, const Mat3& b) {
  Mat3 c{};
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) {
      for (int k = 0; k < 3; ++k) c[p][q] += a[p][k] * b[k][q];
    }
  }
  return c;
}

/// Gauss-Legendre nodes and weights on [-1, 1] by Newton's method.
std::vector<std::pair<double, double>> gauss_legendre(int n) {
  std::vector<std::pair<double, double>> rule;
  for (int k = 0; k < n; ++k) {
    double x = std::cos(std::numbers::pi * (k + 0.75) / (n + 0.5)), slope = 0;
    for (int step = 0; step < 50; ++step) {
      double p = 1, previous = 0;
      for (int l = 1; l <= n; ++l) {
        const double next = ((2 * l - 1) * x * p - (l - 1) * previous) / l;
        previous = p;
        p = next;
      }
      slope = n * (x * p - previous) / (x * x - 1);
      x -= p / slope;
    }
    rule.emplace_back(x, 2 / ((1 - x * x) * slope * slope));
  }
  return rule;
}

TEST(SphericalHarmonics, AreOrthonormal) {
  std::vector<double> gram(all * all, 0.0);
  const int turns = 2 * highest_l + 1;
  for (const auto& [y, weight] : gauss_legendre(highest_l + 1)) {
    for (int k = 0; k < turns; ++k) {
      const double phi = 2 * std::numbers::pi * k / turns, s = std::sqrt(1 - y * y);
      const std::vector<double> Y = harmonics_of({s * std::sin(phi), y, s * std::cos(phi)});
      for (int a = 0; a < all; ++a) {
        for (int b = 0; b < all; ++b) gram[a * all + b] += weight / 2 / turns * Y[a] * Y[b];
      }
    }
  }
  for (int a = 0; a < all; ++a) {
    for (int b = 0; b < all; ++b) EXPECT_NEAR(gram[a * all + b], a == b ? 1 : 0, 1e-12);
  }
}

TEST(SphericalHarmonics, FirstOnesInCartesianForm) {
  const Vec3 u = {2.0 / 7, 3.0 / 7, 6.0 / 7};
  const std::vector<double> Y = harmonics_of(3.7 * u);
  const double s3 = std::sqrt(3.0), s15 = std::sqrt(15.0);
  EXPECT_NEAR(Y[0], 1, 1e-14);
  for (int k = 0; k < 3; ++k) EXPECT_NEAR(Y[1 + k], s3 * u[k], 1e-14);
  EXPECT_NEAR(Y[4], s15 * u[0] * u[2], 1e-14);
  EXPECT_NEAR(Y[5], s15 * u[0] * u[1], 1e-14);
  EXPECT_NEAR(Y[6], std::sqrt(5.0) / 2 * (3 * u[1] * u[1] - 1), 1e-14);
  EXPECT_NEAR(Y[7], s15 * u[1] * u[2], 1e-14);
  EXPECT_NEAR(Y[8], s15 / 2 * (u[2] * u[2] - u[0] * u[0]), 1e-14);
}

TEST(SphericalHarmonics, AgreeWithE3nn) {
  const auto group = hdf5::File::open(ISOTROPE_SOURCE_DIR "/tests/data/e3nn.h5").group("harmonics");
  const auto points = group.read<double>("points", {hdf5::any, 3});
  const auto values = group.read<double>("values", {hdf5::any, all});
  ASSERT_EQ(points.size() * all, values.size() * 3);
  ASSERT_GE(points.size(), 60u);
  for (std::size_t p = 0; p < points.size() / 3; ++p) {
    const auto Y = harmonics_of({points[3 * p], points[3 * p + 1], points[3 * p + 2]});
    for (int k = 0; k < all; ++k) EXPECT_NEAR(Y[k], values[p * all + k], 1e-13) << "point " << p << ", " << k;
  }
}

TEST(SphericalHarmonics, LowerLMaxIsAPrefix) {
  const Vec3 r = random_vector(3);
  const auto Y = harmonics_of(r);
  for (int l_max = 0; l_max <= highest_l; ++l_max) {
    std::vector<double> few(all + 1, -7.0);
    spherical_harmonics(l_max, r[0], r[1], r[2], few.data());
    for (int k = 0; k < harmonics_size(l_max); ++k) EXPECT_NEAR(few[k], Y[k], 1e-14);
    EXPECT_EQ(few[harmonics_size(l_max)], -7.0);
  }
}

Vec3 gradient_at(int l_max, const Vec3& r, const std::vector<double>& gY) {
  Vec3 g{};
  spherical_harmonics_gradient(l_max, r[0], r[1], r[2], gY.data(), g.data());
  return g;
}

std::vector<double> unit(int k) {
  std::vector<double> e(all, 0.0);
  e[k] = 1;
  return e;
}

TEST(SphericalHarmonics, GradientIsTheFiniteDifference) {
  const double h = 1e-5;
  for (const Vec3& r : {random_vector(1), random_vector(2), Vec3{0, 1.3, 0}, Vec3{0, -0.8, 0}, Vec3{1e-9, 2, -1e-9},
                        Vec3{0.7, 0, 0}, Vec3{0, 0, -0.9}}) {
    for (int k = 0; k < all; ++k) {
      const Vec3 g = gradient_at(highest_l, r, unit(k));
      for (int c = 0; c < 3; ++c) {
        // Five points: error h^4, so rounding (1e-15 / h) is what remains.
        const auto at = [&](double step) {
          Vec3 moved = r;
          moved[c] += step;
          return harmonics_of(moved)[k];
        };
        const double expected = (8 * (at(10 * h) - at(-10 * h)) - (at(20 * h) - at(-20 * h))) / (120 * h);
        EXPECT_NEAR(g[c], expected, 2e-8) << k << " along " << c;
      }
    }
  }
}

TEST(SphericalHarmonics, GradientAddsAndIsAtRightAngles) {
  const Vec3 r = random_vector(5);
  std::vector<double> gY(all);
  for (int k = 0; k < all; ++k) gY[k] = std::sin(1.0 + k);
  for (int l_max = 0; l_max <= highest_l; ++l_max) {
    Vec3 sum{};
    for (int k = 0; k < harmonics_size(l_max); ++k) sum = sum + gY[k] * gradient_at(highest_l, r, unit(k));
    Vec3 g = {1, 2, 3};
    spherical_harmonics_gradient(l_max, r[0], r[1], r[2], gY.data(), g.data());
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(g[c] - (c + 1), sum[c], 1e-12);
    EXPECT_NEAR(dot(sum, r), 0, 1e-12);
  }
}

TEST(SphericalHarmonics, TheSameOverAllArithmeticTypes) {
  const Vec3 r = random_vector(6), direction = random_vector(7);
  const auto Y = harmonics_of(r);
  std::array<float, all> single;
  spherical_harmonics(highest_l, float(r[0]), float(r[1]), float(r[2]), single.data());
  const auto dual = [&](int c) { return Dual<double>{r[c], direction[c]}; };
  std::array<Dual<double>, all> with_tangent;
  spherical_harmonics(highest_l, dual(0), dual(1), dual(2), with_tangent.data());
  std::array<Dual<Lane<float>>, all> lanes;
  const auto lane = [&](int c) {
    return Dual<Lane<float>>{Lane<float>(float(r[c])), Lane<float>(float(direction[c]))};
  };
  spherical_harmonics(highest_l, lane(0), lane(1), lane(2), lanes.data());
  for (int k = 0; k < all; ++k) {
    const double tangent = dot(gradient_at(highest_l, r, unit(k)), direction);
    EXPECT_NEAR(single[k], Y[k], 3e-5);
    EXPECT_NEAR(with_tangent[k].v, Y[k], 1e-13);
    EXPECT_NEAR(with_tangent[k].t, tangent, 1e-11);
    EXPECT_NEAR(horizontal_sum(lanes[k].v) / lane_width<float>, Y[k], 3e-5);
    EXPECT_NEAR(horizontal_sum(lanes[k].t) / lane_width<float>, tangent, 2e-3);
  }
}

TEST(SphericalHarmonics, GradientOverDuals) {
  const Vec3 r = random_vector(8), direction = random_vector(9);
  std::vector<double> gY(16);
  std::array<Dual<double>, 16> dual_gY;
  for (int k = 0; k < 16; ++k) {
    gY[k] = std::cos(2.0 * k);
    dual_gY[k] = {gY[k], 0};
  }
  std::array<Dual<double>, 3> g{};
  const auto dual = [&](int c) { return Dual<double>{r[c], direction[c]}; };
  spherical_harmonics_gradient(3, dual(0), dual(1), dual(2), dual_gY.data(), g.data());
  const double h = 1e-5;
  const Vec3 difference = (0.5 / h) * (gradient_at(3, r + h * direction, gY) - gradient_at(3, r - h * direction, gY));
  const Vec3 value = gradient_at(3, r, gY);
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(g[c].v, value[c], 1e-13);
    EXPECT_NEAR(g[c].t, difference[c], 1e-8);
  }
}

TEST(WignerD, RotatesTheHarmonics) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Mat3 rotation = random_rotation(seed);
    if (seed % 2 == 1) rotation = product(rotation, inversion);
    const Vec3 r = random_vector(100 + seed);
    const auto Y = harmonics_of(r), rotated = harmonics_of(rotation * r);
    for (int l = 0; l <= highest_l; ++l) {
      const auto D = wigner_d(l, rotation);
      for (int a = 0; a < 2 * l + 1; ++a) {
        double sum = 0;
        for (int b = 0; b < 2 * l + 1; ++b) sum += D[a * (2 * l + 1) + b] * Y[l * l + b];
        EXPECT_NEAR(sum, rotated[l * l + a], 1e-12);
      }
    }
  }
}

TEST(WignerD, AgreesWithE3nn) {
  const auto group = hdf5::File::open(ISOTROPE_SOURCE_DIR "/tests/data/e3nn.h5").group("wigner_d");
  const auto matrices = group.read<double>("matrices", {hdf5::any, 3, 3});
  const auto values = group.read<double>("values", {hdf5::any, 969});
  ASSERT_EQ(matrices.size(), 36u);
  std::size_t at = 0;
  for (int n = 0; n < 4; ++n) {
    Mat3 rotation;
    for (int k = 0; k < 9; ++k) rotation[k / 3][k % 3] = matrices[9 * n + k];
    EXPECT_EQ(determinant(rotation) < 0, n == 3);
    for (int l = 0; l <= highest_l; ++l) {
      for (double d : wigner_d(l, rotation)) EXPECT_NEAR(d, values[at++], 1e-12);
    }
  }
  EXPECT_EQ(at, values.size());
}

TEST(WignerD, IsAGroupAndKnowsParity) {
  const Mat3 a = random_rotation(1), b = random_rotation(2);
  for (int l : {0, 1, 4, 8, 16}) {
    const int d = 2 * l + 1;
    const auto A = wigner_d(l, a), B = wigner_d(l, b), AB = wigner_d(l, product(a, b));
    for (int p = 0; p < d; ++p) {
      for (int q = 0; q < d; ++q) {
        double sum = 0;
        for (int k = 0; k < d; ++k) sum += A[p * d + k] * B[k * d + q];
        EXPECT_NEAR(sum, AB[p * d + q], 1e-12);
      }
    }
    const auto even = wigner_d(l, product(a, inversion), 1), odd = wigner_d(l, product(a, inversion), -1);
    EXPECT_EQ(wigner_d(l, a, -1), A);
    for (int k = 0; k < d * d; ++k) {
      EXPECT_NEAR(even[k], A[k], 1e-12);
      EXPECT_NEAR(odd[k], -A[k], 1e-12);
    }
  }
  EXPECT_THROW(wigner_d(1, Mat3{}), Error);
  EXPECT_THROW(wigner_d(17, a), Error);
  EXPECT_THROW(wigner_d(1, a, 0), Error);
}

TEST(RandomRotation, IsProperAndUniform) {
  // Under the Haar measure every entry of D^l, l > 0, has mean 0 and variance 1 / (2l + 1).
  const int samples = 4000;
  std::vector<double> mean(9 + 25, 0.0), square(9 + 25, 0.0);
  for (int seed = 0; seed < samples; ++seed) {
    const Mat3 rotation = random_rotation(seed);
    ASSERT_NEAR(determinant(rotation), 1, 1e-12);
    int at = 0;
    for (int l : {1, 2}) {
      for (double d : wigner_d(l, rotation)) {
        mean[at] += d / samples;
        square[at++] += (2 * l + 1) * d * d / samples;
      }
    }
  }
  for (double m : mean) EXPECT_NEAR(m, 0, 0.045);
  for (double s : square) EXPECT_NEAR(s, 1, 0.1);
  EXPECT_EQ(random_rotation(5), random_rotation(5));
  EXPECT_NE(random_rotation(5), random_rotation(6));
}

TEST(Wigner3j, AgreesWithE3nn) {
  const auto group = hdf5::File::open(ISOTROPE_SOURCE_DIR "/tests/data/e3nn.h5").group("wigner_3j");
  const auto l = group.read<int>("l", {hdf5::any, 3});
  const auto values = group.read<double>("values", {hdf5::any});
  ASSERT_GT(l.size(), 180u);
  std::size_t at = 0;
  for (std::size_t n = 0; n < l.size(); n += 3) {
    const auto& tensor = wigner_3j(l[n], l[n + 1], l[n + 2]);
    ASSERT_LE(at + tensor.size(), values.size());
    for (double c : tensor) ASSERT_NEAR(c, values[at++], 1e-14) << l[n] << l[n + 1] << l[n + 2];
  }
  EXPECT_EQ(at, values.size());
}

TEST(Wigner3j, IsInvariantAndNormalised) {
  const Mat3 rotation = random_rotation(11);
  for (const auto& [l1, l2, l3] : {std::array{1, 1, 1}, {1, 2, 2}, {2, 3, 4}, {4, 3, 2}, {8, 7, 6}, {8, 8, 16}}) {
    const int d1 = 2 * l1 + 1, d2 = 2 * l2 + 1, d3 = 2 * l3 + 1;
    const auto& C = wigner_3j(l1, l2, l3);
    ASSERT_EQ(C.size(), static_cast<std::size_t>(d1 * d2 * d3));
    const auto A = wigner_d(l1, rotation), B = wigner_d(l2, rotation), D = wigner_d(l3, rotation);
    // Rotating the two inputs must rotate the output.
    std::vector<double> inputs(C.size(), 0.0), output(C.size(), 0.0);
    double norm = 0;
    std::size_t nonzeros = 0;
    for (const CouplingEntry& c : wigner_3j_sparse(l1, l2, l3)) {
      EXPECT_EQ(c.value, C[(c.m1 * d2 + c.m2) * d3 + c.m3]);
      norm += c.value * c.value;
      ++nonzeros;
      for (int a = 0; a < d1; ++a) {
        for (int b = 0; b < d2; ++b) {
          inputs[(a * d2 + b) * d3 + c.m3] += c.value * A[c.m1 * d1 + a] * B[c.m2 * d2 + b];
        }
      }
      for (int m = 0; m < d3; ++m) output[(c.m1 * d2 + c.m2) * d3 + m] += D[m * d3 + c.m3] * c.value;
    }
    EXPECT_EQ(nonzeros, C.size() - static_cast<std::size_t>(std::count(C.begin(), C.end(), 0.0)));
    EXPECT_NEAR(norm, 1, 1e-13);
    for (std::size_t k = 0; k < C.size(); ++k) EXPECT_NEAR(inputs[k], output[k], 1e-12);
  }
}

TEST(Wigner3j, ErrorsSayWhatIsWrong) {
  try {
    wigner_3j(1, 1, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "There is no Wigner 3j symbol for l = (1, 1, 3): expected 0 <= l <= 16 and |l1 - l2| <= l3 <= l1 + l2.");
  }
  EXPECT_THROW(wigner_3j(-1, 1, 1), Error);
  EXPECT_THROW(wigner_3j(17, 17, 0), Error);
}

}  // namespace
}  // namespace isotrope
