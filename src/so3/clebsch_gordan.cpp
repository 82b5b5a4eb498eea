// SPDX-License-Identifier: MIT
#include "so3/clebsch_gordan.hpp"

#include <array>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.hpp"

namespace isotrope {
namespace {

constexpr int largest_l = 16;
using Real = long double;  // cancellation in Racah's sum costs digits; double is what we return
using Complex = std::complex<Real>;

Real factorial(int n) {
  Real product = 1;
  for (int k = 2; k <= n; ++k) product *= static_cast<Real>(k);
  return product;
}

/// <l1 m1 l2 m2 | l3 m1+m2>, Condon-Shortley phases, by Racah's formula.
Real clebsch_gordan(int l1, int m1, int l2, int m2, int l3) {
  const int m3 = m1 + m2;
  if (std::abs(m3) > l3) return 0;
  Real sum = 0;
  for (int k = 0; k <= l1 + l2 - l3; ++k) {
    const std::array<int, 5> rest = {l1 + l2 - l3 - k, l1 - m1 - k, l2 + m2 - k, l3 - l2 + m1 + k, l3 - l1 - m2 + k};
    Real denominator = factorial(k);
    bool inside = true;
    for (int n : rest) {
      inside = inside && n >= 0;
      if (inside) denominator *= factorial(n);
    }
    if (inside) sum += (k % 2 == 0 ? 1 : -1) / denominator;
  }
  const Real triangle =
      factorial(l1 + l2 - l3) * factorial(l1 - l2 + l3) * factorial(-l1 + l2 + l3) / factorial(l1 + l2 + l3 + 1);
  Real projections = 1;
  for (int n : {l1 + m1, l1 - m1, l2 + m2, l2 - m2, l3 + m3, l3 - m3}) projections *= factorial(n);
  return sum * std::sqrt(Real(2 * l3 + 1) * triangle * projections);
}

/// The complex harmonic m as a sum of real ones: coefficients of the real orders |m| (cosine) and -|m| (sine).
struct Expansion {
  std::array<int, 2> order{};
  std::array<Complex, 2> coefficient{};
  int terms = 1;
};

Expansion complex_in_real(int m) {
  if (m == 0) return {{0, 0}, {Complex(1), Complex(0)}, 1};
  const Real half = std::sqrt(Real(0.5));
  const int a = std::abs(m);
  const Real sign = m > 0 && m % 2 != 0 ? -1 : 1;
  return {{a, -a}, {Complex(sign * half), Complex(0, sign * (m > 0 ? half : -half))}, 2};
}

std::vector<double> compute(int l1, int l2, int l3) {
  const int d2 = 2 * l2 + 1, d3 = 2 * l3 + 1;
  std::vector<Complex> tensor(static_cast<std::size_t>(2 * l1 + 1) * d2 * d3);
  for (int m1 = -l1; m1 <= l1; ++m1) {
    for (int m2 = -l2; m2 <= l2; ++m2) {
      if (std::abs(m1 + m2) > l3) continue;
      const Real value = clebsch_gordan(l1, m1, l2, m2, l3);
      const Expansion a = complex_in_real(m1), b = complex_in_real(m2), c = complex_in_real(m1 + m2);
      for (int i = 0; i < a.terms; ++i) {
        for (int j = 0; j < b.terms; ++j) {
          for (int k = 0; k < c.terms; ++k) {
            tensor[((l1 + a.order[i]) * d2 + l2 + b.order[j]) * d3 + l3 + c.order[k]] +=
                value * a.coefficient[i] * b.coefficient[j] * std::conj(c.coefficient[k]);
          }
        }
      }
    }
  }
  // In the real basis the tensor is real or purely imaginary; this phase makes it real with e3nn's sign.
  const std::array<Complex, 4> powers = {Complex(1), Complex(0, -1), Complex(-1), Complex(0, 1)};
  const Complex phase = powers[(l1 + l2 - l3) % 4] / std::sqrt(Real(d3));
  std::vector<double> real(tensor.size());
  for (std::size_t n = 0; n < tensor.size(); ++n) {
    const Real value = (phase * tensor[n]).real();
    real[n] = std::abs(value) < 1e-15L ? 0.0 : static_cast<double>(value);
  }
  return real;
}

struct Entry {
  std::vector<double> dense;
  std::vector<CouplingEntry> sparse;
};

const Entry& cached(int l1, int l2, int l3) {
  const auto good = [](int l) { return l >= 0 && l <= largest_l; };
  require(good(l1) && good(l2) && good(l3) && std::abs(l1 - l2) <= l3 && l3 <= l1 + l2,
          "There is no Wigner 3j symbol for l = ({}, {}, {}): expected 0 <= l <= {} and |l1 - l2| <= l3 <= l1 + l2.",
          l1, l2, l3, largest_l);
  static std::mutex mutex;
  static std::map<std::array<int, 3>, Entry> cache;  // references stay valid when it grows
  const std::lock_guard lock(mutex);
  const auto [it, is_new] = cache.try_emplace({l1, l2, l3});
  Entry& entry = it->second;
  if (is_new) {
    entry.dense = compute(l1, l2, l3);
    const int d2 = 2 * l2 + 1, d3 = 2 * l3 + 1;
    for (int n = 0; n < static_cast<int>(entry.dense.size()); ++n) {
      if (entry.dense[n] != 0) entry.sparse.push_back({n / d3 / d2, n / d3 % d2, n % d3, entry.dense[n]});
    }
  }
  return entry;
}

}  // namespace

const std::vector<double>& wigner_3j(int l1, int l2, int l3) {
  return cached(l1, l2, l3).dense;
}
const std::vector<CouplingEntry>& wigner_3j_sparse(int l1, int l2, int l3) {
  return cached(l1, l2, l3).sparse;
}

}  // namespace isotrope
