// SPDX-License-Identifier: MIT
// Exact and Gaunt tensor products: against sums over 3j symbols and quadrature, derivatives, rotation, smallest grids.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/error.hpp"
#include "io/hdf5.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/exact_product.hpp"
#include "so3/gaunt_fourier.hpp"
#include "so3/gaunt_grid.hpp"
#include "so3/grid_powers.hpp"
#include "so3/spherical_harmonics.hpp"
#include "support/product_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

std::vector<int> offsets(const Irreps& irreps) {
  std::vector<int> at{0};
  for (const Irrep& b : irreps.blocks()) at.push_back(at.back() + 2 * b.l + 1);
  return at;
}

/// The sum over paths as it is written, one item.
std::vector<double> brute_force(const Irreps& first, const Irreps& second, const Irreps& out,
                                const std::vector<ProductPath>& paths, const std::vector<double>& weights,
                                const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> z(components(out), 0.0);
  std::vector<int> into(out.blocks().size(), 0);
  for (const ProductPath& p : paths) ++into[p.out];
  for (std::size_t n = 0; n < paths.size(); ++n) {
    const ProductPath& p = paths[n];
    const int l1 = first.blocks()[p.first].l, l2 = second.blocks()[p.second].l, l3 = out.blocks()[p.out].l;
    const double scale = std::sqrt((2 * l3 + 1.0) / into[p.out]) * (weights.empty() ? 1 : weights[n]);
    for (const CouplingEntry& c : wigner_3j_sparse(l1, l2, l3)) {
      z[offsets(out)[p.out] + c.m3] +=
          scale * c.value * x[offsets(first)[p.first] + c.m1] * y[offsets(second)[p.second] + c.m2];
    }
  }
  return z;
}

TEST(ExactProduct, FullIsTheSumOver3jSymbols) {
  for (const char* irreps : {"1x0e+1x1o+1x2e", "1x0e+1x1o+1x2e+1x3o+1x4e", "1x2o", "1x1e+1x3e+1x0o", "1x8e+1x7o"}) {
    const Irreps in = Irreps::parse(irreps);
    const auto product = full_product(in, in);
    const int d = components(in), outputs = components(product->out());
    EXPECT_EQ(outputs, d * d);
    // The paths have the order of the blocks of z, which are sorted by l, odd before even.
    std::vector<ProductPath> paths;
    for (const ProductPath& p : exact_paths(in, in, product->out())) {
      if (paths.empty() || paths.back().out != p.out) paths.push_back({0, 0, p.out});
    }
    ASSERT_EQ(static_cast<int>(paths.size()), product->weights());
    const auto x = random_numbers(d, 1), y = random_numbers(d, 2), z = evaluate(*product, x, y);
    // Every (i, j) has its blocks in the order of l; matched by walking through the candidates.
    std::vector<int> used(paths.size(), 0);
    double norm = 0, expected = 0;
    for (double value : z) norm += value * value;
    int at = 0, previous = -1;
    for (std::size_t k = 0; k < paths.size(); ++k) {
      const Irrep& b = product->out().blocks()[k];
      const int key = 2 * b.l + (b.parity > 0 ? 1 : 0);
      EXPECT_GE(key, previous);
      int candidate = key == previous ? used[k - 1] + 1 : 0;
      previous = key;
      const int blocks = static_cast<int>(in.blocks().size());
      for (;; ++candidate) {
        ASSERT_LT(candidate, blocks * blocks);
        const Irrep &a = in.blocks()[candidate / blocks], &c = in.blocks()[candidate % blocks];
        if (std::abs(a.l - c.l) <= b.l && b.l <= a.l + c.l && a.parity * c.parity == b.parity) break;
      }
      used[k] = candidate;
      const Irreps alone({b});
      const auto part_of_z = brute_force(in, in, alone, {{candidate / blocks, candidate % blocks, 0}}, {}, x, y);
      for (double value : part_of_z) {
        EXPECT_NEAR(z[at++], value, 1e-12);
        expected += value * value;
      }
    }
    EXPECT_NEAR(norm, expected, 1e-10 * expected);
  }
}

TEST(ExactProduct, CroppedLeavesOutWhatIsAbove) {
  const Irreps in = harmonics_irreps(3);
  const auto full = full_product(in, in), cropped = full_product(in, in, 3);
  const auto x = random_numbers(16, 1), y = random_numbers(16, 2);
  auto z = evaluate(*full, x, y);
  const auto few = evaluate(*cropped, x, y);
  ASSERT_LT(few.size(), z.size());
  z.resize(few.size());
  expect_close(few, z, 1e-14);
  EXPECT_EQ(cropped->out().l_max(), 3);
}

TEST(ExactProduct, SummedPathsWithWeights) {
  const Irreps first = Irreps::parse("1x0e+1x1o+1x2e+1x3o"), second = Irreps::parse("1x1e+1x2e+1x1o");
  const Irreps out = Irreps::parse("1x1o+1x0e+1x2o+1x2e");
  const auto product = exact_product(first, second, out);
  const auto paths = exact_paths(first, second, out);
  const auto w = random_numbers(paths.size(), 3), x = random_numbers(16, 4), y = random_numbers(11, 5);
  ASSERT_EQ(product->weights(), static_cast<int>(paths.size()));
  expect_close(evaluate(*product, x, y, w), brute_force(first, second, out, paths, w, x, y), 1e-13);
  expect_close(evaluate(*product, x, y), brute_force(first, second, out, paths, {}, x, y), 1e-13);
}

TEST(ExactProduct, AgreesWithE3nn) {
  const auto group = hdf5::File::open(ISOTROPE_SOURCE_DIR "/tests/data/e3nn.h5").group("products");
  const auto x = group.read<double>("x", {3, 16}), y = group.read<double>("y", {3, 16});
  const Irreps in = harmonics_irreps(3), out = Irreps::parse("1x0e+1x1o+1x1e+1x2e+1x2o");
  expect_close(evaluate(*full_product(in, in), x, y), group.read<double>("full", {3, 256}), 1e-13);
  expect_close(evaluate(*exact_product(in, in, out), x, y), group.read<double>("summed", {3, 17}), 1e-13);
}

TEST(ExactProduct, DerivativesInEveryLayout) {
  check_product(*exact_product(harmonics_irreps(2), harmonics_irreps(3), harmonics_irreps(2)));
  check_product(*exact_product(Irreps::parse("1x1o+1x1e"), Irreps::parse("1x2e"), Irreps::parse("1x2o+1x1o+1x2e")));
  check_product(*full_product(harmonics_irreps(2), harmonics_irreps(1)), false);
}

TEST(ExactProduct, RotatesAndReflects) {
  const auto summed =
      exact_product(harmonics_irreps(3), harmonics_irreps(3), Irreps::parse("1x0e+1x1o+1x1e+1x2e+1x3e+1x3o"));
  const auto w = random_numbers(summed->weights(), 6);
  EXPECT_LE(equivariance_error(*summed, false, w), 1e-13);
  EXPECT_LE(equivariance_error(*summed, true, w), 1e-13);
  const auto full = full_product(harmonics_irreps(4), harmonics_irreps(4));
  EXPECT_LE(equivariance_error(*full, false), 1e-13);
  EXPECT_LE(equivariance_error(*full, true), 1e-13);
}

/// (l1 l2 l3; 0 0 0) in closed form, up to its sign (-1)^g.
double three_zeros(int l1, int l2, int l3) {
  const int J = l1 + l2 + l3, g = J / 2;
  if (J % 2 != 0) return 0;
  const auto log_factorial = [](int n) { return std::lgamma(n + 1.0); };
  const double root =
      0.5 * (log_factorial(J - 2 * l1) + log_factorial(J - 2 * l2) + log_factorial(J - 2 * l3) - log_factorial(J + 1));
  return std::exp(root + log_factorial(g) - log_factorial(g - l1) - log_factorial(g - l2) - log_factorial(g - l3));
}

TEST(GauntFactor, IsTheClosedFormOf3j) {
  for (int l1 = 0; l1 <= 5; ++l1) {
    for (int l2 = 0; l2 <= 5; ++l2) {
      for (int l3 = std::abs(l1 - l2); l3 <= l1 + l2; ++l3) {
        const double scale = std::sqrt((2 * l1 + 1.0) * (2 * l2 + 1.0) * (2 * l3 + 1.0));
        EXPECT_NEAR(std::abs(gaunt_factor(l1, l2, l3)), scale * three_zeros(l1, l2, l3), 1e-12) << l1 << l2 << l3;
      }
    }
  }
}

/// The mean over the sphere of f(x) g(y) Y on a grid of another kind, with many more points than needed: Fejer's rule
/// in beta, midpoints in alpha.
std::vector<double> gaunt_by_quadrature(int L1, int L2, int L3, const std::vector<double>& x,
                                        const std::vector<double>& y) {
  const int n = 40;
  std::vector<double> z(harmonics_size(L3), 0.0);
  for (int b = 0; b < 2 * n; ++b) {
    const double theta = std::numbers::pi * (b + 0.5) / (2 * n);
    double weight = 1;
    for (int k = 1; k <= n; ++k) weight -= 2 * std::cos(2 * k * theta) / (4.0 * k * k - 1);
    weight /= 2 * n;
    for (int a = 0; a < n; ++a) {
      const double alpha = 2 * std::numbers::pi * (a + 0.3) / n, s = std::sin(theta);
      std::vector<double> Y(81);
      spherical_harmonics<8>(s * std::sin(alpha), std::cos(theta), s * std::cos(alpha), Y.data());
      double f = 0, g = 0;
      for (int k = 0; k < harmonics_size(L1); ++k) f += x[k] * Y[k];
      for (int k = 0; k < harmonics_size(L2); ++k) g += y[k] * Y[k];
      for (int k = 0; k < harmonics_size(L3); ++k) z[k] += weight / n * f * g * Y[k];
    }
  }
  return z;
}

TEST(GauntGrid, IsTheIntegralOfTheProduct) {
  for (const auto& [l1, l2, l3] : {std::array{1, 1, 2}, {2, 1, 3}, {3, 3, 3}, {4, 4, 8}, {0, 2, 2}, {5, 2, 4}}) {
    const auto product = gaunt_grid_product(harmonics_irreps(l1), harmonics_irreps(l2), harmonics_irreps(l3));
    const auto x = random_numbers(harmonics_size(l1), 1), y = random_numbers(harmonics_size(l2), 2);
    expect_close(evaluate(*product, x, y), gaunt_by_quadrature(l1, l2, l3, x, y), 1e-12);
  }
}

/// Path weights with which exact_product is the Gaunt product.
std::vector<double> gaunt_weights(const Irreps& first, const Irreps& second, const Irreps& out) {
  const auto paths = exact_paths(first, second, out);
  std::vector<double> w;
  for (const ProductPath& p : paths) {
    const int l1 = first.blocks()[p.first].l, l2 = second.blocks()[p.second].l, l3 = out.blocks()[p.out].l;
    const auto into = std::count_if(paths.begin(), paths.end(), [&](const ProductPath& q) { return q.out == p.out; });
    w.push_back(gaunt_factor(l1, l2, l3) / std::sqrt((2 * l3 + 1.0) / static_cast<double>(into)));
  }
  return w;
}

double gaunt_difference(const TensorProduct& product) {
  const Irreps &a = product.first(), &b = product.second(), &c = product.out();
  const auto x = random_numbers(components(a), 11), y = random_numbers(components(b), 12);
  const auto expected = evaluate(*exact_product(a, b, c), x, y, gaunt_weights(a, b, c));
  const auto difference = sum(evaluate(product, x, y), -1, expected);
  return std::sqrt(dot(difference, difference) / dot(expected, expected));
}

TEST(GauntGrid, IsClebschGordanTimesAFactorUpToL8) {
  for (int L = 1; L <= 8; ++L) {
    EXPECT_LE(gaunt_difference(*gaunt_grid_product(harmonics_irreps(L), harmonics_irreps(L), harmonics_irreps(2 * L))),
              1e-12);
    EXPECT_LE(gaunt_difference(*gaunt_grid_product(harmonics_irreps(L), harmonics_irreps(L), harmonics_irreps(L))),
              1e-12);
  }
  for (const auto& [a, b, c] : {std::array{"1x2e", "1x1o+1x3o", "1x1o+1x3o+1x5o"}, {"1x8e", "1x8e", "1x8e"}})
    EXPECT_LE(gaunt_difference(*gaunt_grid_product(Irreps::parse(a), Irreps::parse(b), Irreps::parse(c))), 1e-12);
}

TEST(GauntPaths, AreTheSameProduct) {
  for (int L : {1, 2, 5}) {
    const Irreps in = harmonics_irreps(L);
    EXPECT_LE(gaunt_difference(*gaunt_paths_product(in, in, harmonics_irreps(2 * L))), 1e-13);
    EXPECT_LE(gaunt_difference(*gaunt_product(in, in, in)), 1e-12);
  }
  // Weights per block mean the same.
  const Irreps in = harmonics_irreps(3);
  const auto x = random_numbers(16, 1), y = random_numbers(16, 2), w = random_numbers(12, 3);
  expect_close(evaluate(*gaunt_paths_product(in, in, in), x, y, w), evaluate(*gaunt_grid_product(in, in, in), x, y, w),
               1e-13);
  check_product(*gaunt_paths_product(harmonics_irreps(2), harmonics_irreps(1), harmonics_irreps(3)));
}

TEST(GauntFourier, IsTheSameProduct) {
  for (int L = 1; L <= 8; ++L) {
    EXPECT_LE(
        gaunt_difference(*gaunt_fourier_product(harmonics_irreps(L), harmonics_irreps(L), harmonics_irreps(2 * L))),
        1e-12);
    EXPECT_LE(gaunt_difference(*gaunt_fourier_product(harmonics_irreps(L), harmonics_irreps(L), harmonics_irreps(L))),
              1e-12);
  }
  for (const auto& [a, b, c] : {std::array{"1x2e", "1x1o+1x3o", "1x1o+1x3o+1x5o"},
                                {"1x8e", "1x8e", "1x8e"},
                                {"1x1o", "1x0e+1x2e", "1x1o+1x3o"}})
    EXPECT_LE(gaunt_difference(*gaunt_fourier_product(Irreps::parse(a), Irreps::parse(b), Irreps::parse(c))), 1e-12);
}

TEST(GauntFourier, DerivativesInEveryLayout) {
  check_product(*gaunt_fourier_product(harmonics_irreps(2), harmonics_irreps(3), harmonics_irreps(4)));
}

TEST(GauntFourier, RotatesAndReflects) {
  const auto product = gaunt_fourier_product(harmonics_irreps(4), harmonics_irreps(3), harmonics_irreps(5));
  const auto w = random_numbers(product->weights(), 6);
  EXPECT_LE(equivariance_error(*product, false, w), 1e-13);
  EXPECT_LE(equivariance_error(*product, true, w), 1e-13);
}

TEST(GauntGrid, TheSmallestExactGridIsTheSmallest) {
  // L, degrees of z, nodes, angles: docs/tensor-products.md.
  for (const auto& [L, L3, n_beta, n_alpha] :
       {std::array{1, 2, 3, 5}, {2, 4, 5, 9}, {3, 6, 7, 13}, {2, 2, 4, 7}, {3, 3, 5, 10}, {4, 4, 7, 13}}) {
    const Irreps in = harmonics_irreps(L), out = harmonics_irreps(L3);
    const SphereGrid grid = SphereGrid::exact_for(2 * L + L3);
    EXPECT_EQ(static_cast<int>(grid.cos_beta.size()), n_beta);
    EXPECT_EQ(grid.n_alpha, n_alpha);
    const auto error = [&](int beta, int alpha) {
      return gaunt_difference(*gaunt_grid_product(in, in, out, SphereGrid::of_size(beta, alpha)));
    };
    EXPECT_LE(error(n_beta, n_alpha), 1e-13);
    EXPECT_LE(error(n_beta + 1, n_alpha + 1), 1e-13);
    EXPECT_GE(error(n_beta - 1, n_alpha), 1e-3) << "L = " << L;
    EXPECT_GE(error(n_beta, n_alpha - 1), 1e-3) << "L = " << L;
  }
}

TEST(GauntGrid, DerivativesInEveryLayout) {
  check_product(*gaunt_grid_product(harmonics_irreps(2), harmonics_irreps(3), harmonics_irreps(4)));
  check_product(*gaunt_grid_product(Irreps::parse("1x2e"), Irreps::parse("1x1o+1x0e"), Irreps::parse("1x1o+1x3o")));
}

TEST(GauntGrid, RotatesAndReflects) {
  const auto product = gaunt_grid_product(harmonics_irreps(4), harmonics_irreps(3), harmonics_irreps(5));
  const auto w = random_numbers(product->weights(), 6);
  EXPECT_LE(equivariance_error(*product, false, w), 1e-13);
  EXPECT_LE(equivariance_error(*product, true, w), 1e-13);
}

TEST(GridPowers, AreRepeatedProducts) {
  const Irreps in = harmonics_irreps(3), out = harmonics_irreps(2);
  const auto powers = grid_powers(in, out, 3);
  const auto square = gaunt_grid_product(in, in, harmonics_irreps(6));
  const auto cube = gaunt_grid_product(harmonics_irreps(6), in, out);
  const auto x = random_numbers(16, 1), w = random_numbers(9, 2);
  const auto x2 = evaluate(*square, x, x), x3 = evaluate(*cube, x2, x);
  ASSERT_EQ(powers->weights(), 9);
  std::vector<double> expected;
  for (int l = 0; l <= 2; ++l) {
    for (int k = l * l; k < (l + 1) * (l + 1); ++k)
      expected.push_back(w[l] * x[k] + w[3 + l] * x2[k] + w[6 + l] * x3[k]);
  }
  expect_close(evaluate(*powers, x, {}, w), expected, 1e-13);
  const auto rotated = evaluate(*grid_powers(in, harmonics_irreps(4), 1), x, {});
  for (int k = 0; k < 25; ++k) EXPECT_NEAR(rotated[k], k < 16 ? x[k] : 0, 1e-14);
}

TEST(GridPowers, DerivativesInEveryLayout) {
  check_product(*grid_powers(harmonics_irreps(3), harmonics_irreps(2), 3));
  check_product(*grid_powers(harmonics_irreps(1), Irreps::parse("1x2e+1x0e"), 4));
}

TEST(GridPowers, RotateAndReflect) {
  const auto powers = grid_powers(harmonics_irreps(3), harmonics_irreps(3), 4);
  EXPECT_LE(equivariance_error(*powers, false, random_numbers(powers->weights(), 6)), 1e-12);
  EXPECT_LE(equivariance_error(*powers, true, random_numbers(powers->weights(), 6)), 1e-12);
}

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TensorProducts, ErrorsSayWhatIsWrong) {
  const Irreps in = harmonics_irreps(1);
  EXPECT_EQ(message([&] { exact_product(in, in, Irreps::parse("1x0e+1x3o")); }),
            "No path leads from '1x0e+1x1o' x '1x0e+1x1o' to 3o: leave it out of the output irreps '1x0e+1x3o'.");
  EXPECT_EQ(message([&] { exact_product(Irreps::parse("2x0e"), in, in); }),
            "Irreps of a tensor product: expected blocks 1xl with l <= 16 (copies are channels), found '2x0e'.");
  EXPECT_EQ(
      message([&] { gaunt_grid_product(in, in, Irreps::parse("1x1e")); }),
      "A function on the sphere has irreps such as 1x0e+1x1o+1x2e, each l once with parity (-1)^l: found '1x1e'.");
  EXPECT_EQ(message([&] { grid_powers(in, in, 0); }),
            "Powers on the grid: expected a correlation order of 1 or more, found 0.");
  EXPECT_EQ(message([&] { grid_powers(harmonics_irreps(8), harmonics_irreps(3), 4); }),
            "A sphere grid has up to 17 x 35 points and l <= 16, asked for 18 x 36 and l = 8.");
  EXPECT_EQ(message([&] { gaunt_grid_product(harmonics_irreps(9), in, in, SphereGrid::of_size(3, 3)); }),
            "A tensor product takes up to 81 components (l = 0 to 8, once each), found 100 and 4.");
}

}  // namespace
}  // namespace isotrope
