// SPDX-License-Identifier: MIT
#include "so3/wigner_d.hpp"

#include <cmath>
#include <numbers>
#include <random>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"

namespace isotrope {
namespace {

void check_orthogonal(const Mat3& m) {
  for (int p = 0; p < 3; ++p) {
    for (int q = 0; q < 3; ++q) {
      require(std::abs(dot(m[p], m[q]) - (p == q ? 1 : 0)) <= 1e-6,
              "Expected an orthogonal matrix: rows {} and {} have the product {}.", p + 1, q + 1, dot(m[p], m[q]));
    }
  }
}

/// D^l from D^(l-1): l is the part of (l-1) x 1 that the 3j symbol projects out,
/// D^l_ab = (2l + 1) sum C_{mka} D^(l-1)_{mn} R_{kh} C_{nhb}.
std::vector<double> raise(int l, const std::vector<double>& previous, const Mat3& rotation) {
  const auto& entries = wigner_3j_sparse(l - 1, 1, l);
  const int d = 2 * l + 1, d_previous = 2 * l - 1;
  std::vector<double> result(static_cast<std::size_t>(d) * d, 0.0);
  for (const CouplingEntry& a : entries) {
    for (const CouplingEntry& b : entries) {
      result[a.m3 * d + b.m3] += d * a.value * previous[a.m1 * d_previous + b.m1] * rotation[a.m2][b.m2] * b.value;
    }
  }
  return result;
}

}  // namespace

std::vector<double> wigner_d(int l, const Mat3& rotation, int parity) {
  require(parity == 1 || parity == -1, "A parity is 1 or -1, found {}.", parity);
  std::vector<double> d = wigner_d(l, rotation);
  const int natural = l % 2 == 0 ? 1 : -1;
  if (determinant(rotation) < 0 && parity != natural) {
    for (double& x : d) x = -x;
  }
  return d;
}

std::vector<double> wigner_d(int l, const Mat3& rotation) {
  require(l >= 0 && l <= 16, "Wigner D matrices go to l = 16, asked for {}.", l);
  check_orthogonal(rotation);
  std::vector<double> d = {1.0};
  for (int k = 1; k <= l; ++k) d = raise(k, d, rotation);
  return d;
}

Mat3 random_rotation(std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  const auto uniform = [&] { return (static_cast<double>(generator() >> 11) + 0.5) * 0x1p-53; };
  // A uniform unit quaternion (Shoemake 1992).
  const double u = uniform(), a = 2 * std::numbers::pi * uniform(), b = 2 * std::numbers::pi * uniform();
  const double x = std::sqrt(1 - u) * std::sin(a), y = std::sqrt(1 - u) * std::cos(a);
  const double z = std::sqrt(u) * std::sin(b), w = std::sqrt(u) * std::cos(b);
  return {{{1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)},
           {2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)},
           {2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)}}};
}

}  // namespace isotrope
