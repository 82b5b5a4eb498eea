// SPDX-License-Identifier: MIT
#include "so3/gaunt_powers.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "so3/sphere_grid.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {
namespace {

constexpr double negligible = 1e-13;

double factorial(int n) {
  return std::tgamma(n + 1.0);
}

/// E[a^nu b^nu] of two normal numbers of variance `variance` and covariance `covariance`, by Hermite polynomials: x^nu
/// = sum_k nu! / (k! (nu-k)!!) variance^((nu-k)/2) He_k(x), and He_k of the two overlap in k! covariance^k.
double moment(int nu, double variance, double covariance) {
  double sum = 0;
  for (int k = nu % 2; k <= nu; k += 2) {
    const int pairs = (nu - k) / 2;
    const double c = factorial(nu) / (factorial(k) * factorial(pairs) * std::pow(2.0, pairs));
    sum += c * c * std::pow(variance, 2 * pairs) * factorial(k) * std::pow(covariance, k);
  }
  return sum;
}

/// Harmonics up to l_max at every point of a grid, with its weight; [points][(l_max + 1)^2].
struct PointValues {
  int points = 0, harmonics = 0;
  std::vector<double> weight, value;

  PointValues(int l_max, const SphereGrid& grid) : harmonics(harmonics_size(l_max)) {
    for (std::size_t b = 0; b < grid.cos_beta.size(); ++b) {
      const double y = grid.cos_beta[b], sine = std::sqrt(1 - y * y);
      for (int j = 0; j < grid.n_alpha; ++j) {
        const double alpha = 2 * std::numbers::pi * j / grid.n_alpha;
        const double x = sine * std::sin(alpha), z = sine * std::cos(alpha);
        weight.push_back(grid.weight[b] / grid.n_alpha);
        value.resize(value.size() + harmonics);
        spherical_harmonics(l_max, x, y, z, value.data() + value.size() - harmonics);
        ++points;
      }
    }
  }
  const double* at(int point) const { return value.data() + static_cast<long>(point) * harmonics; }
};

/// The next list i_1 <= ... <= i_nu below n; false after the last.
bool advance(std::vector<int>& i, int n) {
  for (int k = static_cast<int>(i.size()) - 1; k >= 0; --k) {
    if (i[k] + 1 < n) {
      std::fill(i.begin() + k, i.end(), i[k] + 1);
      return true;
    }
  }
  return false;
}

/// In how many orders the factors can be written.
double permutations(const std::vector<int>& i) {
  double count = factorial(static_cast<int>(i.size()));
  for (std::size_t begin = 0; begin < i.size();) {
    std::size_t end = begin;
    while (end < i.size() && i[end] == i[begin]) ++end;
    count /= factorial(static_cast<int>(end - begin));
    begin = end;
  }
  return count;
}

}  // namespace

double gaunt_power_scale(int l_max, int L, int nu) {
  // E[f(a) f(b)] = sum (2 l + 1) P_l(a.b), and the sum over M of Y_LM(a) Y_LM(b) is (2 L + 1) P_L(a.b): an integral
  // over a.b alone is left.
  std::vector<double> nodes, weights;
  gauss_legendre((nu * l_max + L) / 2 + 1, nodes, weights);
  const double variance = harmonics_size(l_max);
  double mean_square = 0, largest = 0;
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    double covariance = 0;
    for (int l = 0; l <= l_max; ++l) covariance += (2 * l + 1) * std::legendre(l, nodes[k]);
    const double product = moment(nu, variance, covariance);
    mean_square += weights[k] / 2 * product * std::legendre(L, nodes[k]);
    largest = std::max(largest, product);
  }
  require(mean_square > 1e-12 * largest, "power {} of harmonics up to l = {} has no part L = {}", nu, l_max, L);
  return 1 / std::sqrt(mean_square);
}

Couplings gaunt_power_couplings(int l_max, int L, int nu) {
  require(l_max >= 0 && l_max <= highest_l && L >= 0 && L <= highest_l && nu >= 1 && nu <= 4,
          "gaunt_power_couplings: expected l_max and L from 0 to {} and nu from 1 to 4, found {}, {} and {}", highest_l,
          l_max, L, nu);
  const double scale = gaunt_power_scale(l_max, L, nu);
  const PointValues y(std::max(l_max, L), SphereGrid::exact_for(nu * l_max + L));
  Couplings result;
  result.correlation = nu;
  result.paths = 1;
  for (int M = 0; M <= 2 * L; ++M) {
    std::vector<int> i(nu, 0);
    do {
      double mean = 0;
      for (int p = 0; p < y.points; ++p) {
        double product = y.weight[p] * y.at(p)[L * L + M];
        for (int factor : i) product *= y.at(p)[factor];
        mean += product;
      }
      const double value = scale * permutations(i) * mean;
      if (std::abs(value) < negligible) continue;
      result.indices.push_back(M);
      result.indices.insert(result.indices.end(), i.begin(), i.end());
      result.indices.push_back(0);
      result.values.push_back(value);
    } while (advance(i, harmonics_size(l_max)));
  }
  return result;
}

}  // namespace isotrope
