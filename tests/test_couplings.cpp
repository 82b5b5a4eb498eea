// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "core/error.hpp"
#include "so3/couplings.hpp"
#include "so3/wigner_d.hpp"

namespace isotrope {
namespace {

struct Row {
  int M, path;
  std::vector<int> i;
  double value;
};

std::vector<Row> rows_of(const Couplings& c) {
  std::vector<Row> rows;
  const int width = c.correlation + 2;
  for (int n = 0; n < c.nonzeros(); ++n) {
    const auto begin = c.indices.begin() + n * width;
    rows.push_back({begin[0], begin[width - 1], {begin + 1, begin + width - 1}, c.values[n]});
  }
  return rows;
}

/// B [path][M]
std::vector<double> apply(const Couplings& c, int L, const std::vector<double>& x) {
  std::vector<double> B(c.paths * (2 * L + 1), 0.0);
  for (const Row& row : rows_of(c)) {
    double term = row.value;
    for (int i : row.i) term *= x[i];
    B[row.path * (2 * L + 1) + row.M] += term;
  }
  return B;
}

std::vector<double> random_features(int l_max, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<double> x((l_max + 1) * (l_max + 1));
  for (double& v : x) v = static_cast<double>(generator() >> 11) * 0x1p-52 - 1;
  return x;
}

std::vector<double> rotate(int l_max, const std::vector<double>& x, const Mat3& rotation) {
  std::vector<double> y(x.size(), 0.0);
  for (int l = 0; l <= l_max; ++l) {
    const auto D = wigner_d(l, rotation);
    for (int a = 0; a < 2 * l + 1; ++a) {
      for (int b = 0; b < 2 * l + 1; ++b) y[l * l + a] += D[a * (2 * l + 1) + b] * x[l * l + b];
    }
  }
  return y;
}

/// How many independent couplings there are, from counting weights alone: monomials of complex harmonics with sum of m
/// equal to L, less those with L + 1, where the sum of l has the parity of L.
int expected_paths(int l_max, int L, int correlation) {
  std::vector<std::pair<int, int>> orders;
  for (int l = 0; l <= l_max; ++l) {
    for (int m = -l; m <= l; ++m) orders.emplace_back(l, m);
  }
  int count = 0;
  const std::function<void(int, std::size_t, int, int)> visit = [&](int left, std::size_t from, int sum_l, int sum_m) {
    if (left == 0) {
      if ((sum_l + L) % 2 == 0) count += (sum_m == L) - (sum_m == L + 1);
      return;
    }
    for (std::size_t k = from; k < orders.size(); ++k) {
      visit(left - 1, k, sum_l + orders[k].first, sum_m + orders[k].second);
    }
  };
  visit(correlation, 0, 0, 0);
  return count;
}

TEST(Couplings, NothingIsLostAndNothingIsTwice) {
  for (int l_max : {0, 1, 2, 3, 4}) {
    for (int correlation : {1, 2, 3, 4}) {
      if (l_max == 4 && correlation == 4) continue;  // seconds
      for (int L = 0; L <= 2; ++L) {
        const Couplings c = symmetric_couplings(l_max, L, correlation);
        EXPECT_EQ(c.paths, expected_paths(l_max, L, correlation)) << l_max << L << correlation;
      }
    }
  }
}

TEST(Couplings, CountsOfTheUsualProductBasis) {
  const int paths[] = {8, 12, 14}, monomials[] = {77, 278, 398};
  for (int L = 0; L <= 2; ++L) {
    const Couplings c = symmetric_couplings(3, L, 3);
    EXPECT_EQ(c.paths, paths[L]);
    std::set<std::vector<int>> distinct;
    for (Row& row : rows_of(collect_monomials(c))) {
      row.i.push_back(row.M);
      distinct.insert(row.i);
    }
    EXPECT_EQ(static_cast<int>(distinct.size()), monomials[L]);
  }
}

TEST(Couplings, AreSymmetricSortedAndWithoutRepeats) {
  const Couplings c = symmetric_couplings(2, 1, 3);
  std::map<std::vector<int>, double> table;
  std::vector<int> previous;
  for (const Row& row : rows_of(c)) {
    std::vector<int> key = {row.path, row.M};
    key.insert(key.end(), row.i.begin(), row.i.end());
    EXPECT_LT(previous, key);
    previous = key;
    table[key] = row.value;
  }
  ASSERT_GT(table.size(), 100u);
  for (const auto& [sequence, value] : table) {
    std::vector<int> key = sequence;
    std::sort(key.begin() + 2, key.end());
    do {
      ASSERT_TRUE(table.contains(key));
      EXPECT_EQ(table[key], value);
    } while (std::next_permutation(key.begin() + 2, key.end()));
  }
}

TEST(Couplings, AreEquivariant) {
  for (const auto& [l_max, correlation] : {std::pair{3, 1}, {3, 2}, {3, 3}, {2, 4}}) {
    const auto x = random_features(l_max, 1);
    for (int L = 0; L <= 3; ++L) {
      const Couplings c = symmetric_couplings(l_max, L, correlation);
      for (double sign : {1.0, -1.0}) {
        Mat3 rotation = random_rotation(7);
        for (Vec3& row : rotation) row = sign * row;
        const auto B = apply(c, L, x), rotated = apply(c, L, rotate(l_max, x, rotation));
        const auto D = wigner_d(L, rotation);
        double largest = 0;
        for (int p = 0; p < c.paths; ++p) {
          for (int a = 0; a < 2 * L + 1; ++a) {
            double sum = 0;
            for (int b = 0; b < 2 * L + 1; ++b) sum += D[a * (2 * L + 1) + b] * B[p * (2 * L + 1) + b];
            EXPECT_NEAR(sum, rotated[p * (2 * L + 1) + a], 1e-12);
            largest = std::max(largest, std::abs(sum));
          }
        }
        EXPECT_GT(largest, 0.1);
      }
    }
  }
}

/// E of a product of standard normal numbers, one for each index.
double moment(std::vector<int> indices) {
  std::map<int, int> powers;
  for (int i : indices) ++powers[i];
  double product = 1;
  for (const auto& [i, power] : powers) {
    if (power % 2 != 0) return 0;
    for (int odd = power - 1; odd > 1; odd -= 2) product *= odd;
  }
  return product;
}

TEST(Couplings, AreScaledToUnitVariance) {
  for (const auto& [l_max, L, correlation] : {std::array{3, 0, 3}, {2, 1, 3}, {2, 2, 2}, {3, 2, 1}, {1, 1, 4}}) {
    const Couplings c = symmetric_couplings(l_max, L, correlation);
    const auto rows = rows_of(collect_monomials(c));
    std::vector<double> variance(c.paths, 0.0);
    for (const Row& a : rows) {
      for (const Row& b : rows) {
        if (a.M != b.M || a.path != b.path) continue;
        std::vector<int> both = a.i;
        both.insert(both.end(), b.i.begin(), b.i.end());
        variance[a.path] += a.value * b.value * moment(both) / (2 * L + 1);
      }
    }
    for (double v : variance) EXPECT_NEAR(v, 1, 1e-12);
  }
}

TEST(Couplings, PathsAreOrthogonalTensors) {
  const int L = 2;
  const Couplings c = symmetric_couplings(3, L, 3);
  std::map<std::vector<int>, std::vector<double>> tensors;
  for (const Row& row : rows_of(c)) {
    std::vector<int> key = row.i;
    key.push_back(row.M);
    auto& values = tensors[key];
    values.resize(c.paths);
    values[row.path] = row.value;
  }
  std::vector<double> gram(c.paths * c.paths, 0.0);
  for (const auto& [key, values] : tensors) {
    for (int p = 0; p < c.paths; ++p) {
      for (int q = 0; q < c.paths; ++q) gram[p * c.paths + q] += values[p] * values[q];
    }
  }
  for (int p = 0; p < c.paths; ++p) {
    for (int q = 0; q < c.paths; ++q) {
      if (p == q) {
        EXPECT_GT(gram[p * c.paths + q], 0.01);
      } else {
        EXPECT_NEAR(gram[p * c.paths + q], 0, 1e-13);
      }
    }
  }
}

TEST(Couplings, MonomialsAreTheSamePolynomials) {
  for (const auto& [L, correlation] : {std::pair{1, 2}, {1, 3}, {2, 3}}) {
    const Couplings c = symmetric_couplings(3, L, correlation);
    const Couplings m = collect_monomials(c);
    EXPECT_LT(m.nonzeros(), c.nonzeros());
    for (const Row& row : rows_of(m)) EXPECT_TRUE(std::is_sorted(row.i.begin(), row.i.end()));
    const auto x = random_features(3, 5);
    const auto a = apply(c, L, x), b = apply(m, L, x);
    for (std::size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-13);
  }
  // Not symmetric, and a pair that cancels.
  const Couplings odd = {2, 1, {0, 2, 1, 0, 0, 1, 2, 0, 0, 3, 0, 0, 0, 0, 3, 0}, {1.5, 2, 1, -1}};
  const Couplings collected = collect_monomials(odd);
  EXPECT_EQ(collected.indices, (std::vector<int>{0, 1, 2, 0}));
  EXPECT_EQ(collected.values, std::vector<double>{3.5});
}

TEST(Couplings, ErrorsSayWhatIsWrong) {
  try {
    symmetric_couplings(3, 0, 5);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "The correlation of the product basis must be 1 to 4, found 5.");
  }
  EXPECT_THROW(symmetric_couplings(9, 0, 1), Error);
  EXPECT_THROW(symmetric_couplings(3, -1, 1), Error);
}

}  // namespace
}  // namespace isotrope
