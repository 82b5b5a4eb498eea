// SPDX-License-Identifier: MIT
#include "so3/couplings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "so3/clebsch_gordan.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {
namespace {

constexpr int max_correlation = 4;
/// Residual of a unit vector below which a nesting is a combination of earlier ones. Measured: dependent ones leave at
/// most 5e-16, independent ones at least 0.36 (correlation 3 to l_max 5, correlation 4 to l_max 3), so the choice is
/// not delicate.
constexpr double independent = 1e-6;
constexpr double negligible = 1e-13;

/// A product of harmonics: ascending indices, unused places -1 (in front).
using Monomial = std::array<std::int8_t, max_correlation>;
using Polynomial = std::map<Monomial, double>;
using Irrep = std::vector<Polynomial>;  ///< [2l + 1]

Monomial times(Monomial m, int i) {
  m[0] = static_cast<std::int8_t>(i);
  for (int k = 1; k < max_correlation && m[k - 1] > m[k]; ++k) std::swap(m[k - 1], m[k]);
  return m;
}

/// In how many orders the factors can be written.
double permutations(const Monomial& m) {
  double count = 1;
  int factors = 0, run = 0;
  for (int k = 0; k < max_correlation; ++k) {
    if (m[k] < 0) continue;
    run = k > 0 && m[k] == m[k - 1] ? run + 1 : 1;
    count *= static_cast<double>(++factors) / run;
  }
  return count;
}

/// The part l3 of a x x_l2.
Irrep couple(const Irrep& a, int l1, int l2, int l3) {
  Irrep result(2 * l3 + 1);
  for (const CouplingEntry& c : wigner_3j_sparse(l1, l2, l3)) {
    const int variable = l2 * l2 + c.m2;
    for (const auto& [monomial, value] : a[c.m1]) result[c.m3][times(monomial, variable)] += c.value * value;
  }
  return result;
}

/// As symmetric tensors, summed over M.
double inner_product(const Irrep& a, const Irrep& b) {
  double sum = 0;
  for (std::size_t m = 0; m < a.size(); ++m) {
    for (const auto& [monomial, value] : a[m]) {
      const auto other = b[m].find(monomial);
      if (other != b[m].end()) sum += value * other->second / permutations(monomial);
    }
  }
  return sum;
}

void scale(Irrep& a, double factor) {
  for (Polynomial& p : a) {
    for (auto& [monomial, value] : p) value *= factor;
  }
}

void add(Irrep& a, double factor, const Irrep& b) {
  for (std::size_t m = 0; m < a.size(); ++m) {
    for (const auto& [monomial, value] : b[m]) a[m][monomial] += factor * value;
  }
}

void drop_zeros(Irrep& a) {
  for (Polynomial& p : a) {
    std::erase_if(p, [](const auto& term) { return std::abs(term.second) < negligible; });
  }
}

std::size_t terms(const Irrep& a) {
  std::size_t count = 0;
  for (const Polynomial& p : a) count += p.size();
  return count;
}

/// E of the product of two monomials of standard normal numbers.
double moment(const Monomial& a, const Monomial& b) {
  std::array<std::int8_t, 2 * max_correlation> all;
  std::merge(a.begin(), a.end(), b.begin(), b.end(), all.begin());
  double product = 1;
  for (std::size_t k = 0, end; k < all.size(); k = end) {
    end = k;
    while (end < all.size() && all[end] == all[k]) ++end;
    if (all[k] < 0) continue;
    if ((end - k) % 2 != 0) return 0;
    for (std::size_t odd = end - k - 1; odd > 1; odd -= 2) product *= static_cast<double>(odd);
  }
  return product;
}

/// E[B_M^2], the same for all M because the distribution of x does not change under rotations.
double mean_square(const Irrep& a) {
  double sum = 0;
  for (const auto& [m1, v1] : a[0]) {
    for (const auto& [m2, v2] : a[0]) sum += v1 * v2 * moment(m1, m2);
  }
  return sum;
}

/// All ways to couple x_{l[0]}, x_{l[1]}, ... one after the other to L.
std::vector<Irrep> nestings(const std::vector<int>& l, int L) {
  std::vector<Irrep> found;
  const std::function<void(const Irrep&, int, std::size_t)> nest = [&](const Irrep& a, int l1, std::size_t next) {
    if (next == l.size()) {
      if (l1 == L) found.push_back(a);
      return;
    }
    int rest = 0;  // what the later factors can still bridge
    for (std::size_t k = next + 1; k < l.size(); ++k) rest += l[k];
    for (int l3 = std::abs(l1 - l[next]); l3 <= l1 + l[next]; ++l3) {
      if (std::abs(l3 - L) <= rest) nest(couple(a, l1, l[next], l3), l3, next + 1);
    }
  };
  Irrep one(1);
  Monomial empty;
  empty.fill(-1);
  one[0][empty] = 1;
  nest(one, 0, 0);
  return found;
}

/// Nestings in all orders of the factors, of unit length, sparsest first.
std::vector<Irrep> candidates(std::vector<int> l, int L) {
  std::vector<Irrep> all;
  do {
    for (Irrep& a : nestings(l, L)) {
      const double length = std::sqrt(inner_product(a, a));
      if (length < independent) continue;  // its symmetric part vanishes
      scale(a, 1 / length);
      drop_zeros(a);
      all.push_back(std::move(a));
    }
  } while (std::next_permutation(l.begin(), l.end()));
  std::stable_sort(all.begin(), all.end(), [](const Irrep& a, const Irrep& b) { return terms(a) < terms(b); });
  return all;
}

void add_paths_of(const std::vector<int>& l, int L, std::vector<Irrep>& paths) {
  const std::size_t first = paths.size();
  for (Irrep& a : candidates(l, L)) {
    for (int pass = 0; pass < 2; ++pass) {  // twice is enough
      for (std::size_t k = first; k < paths.size(); ++k) add(a, -inner_product(paths[k], a), paths[k]);
    }
    const double residual = std::sqrt(inner_product(a, a));
    if (residual < independent) continue;
    scale(a, 1 / residual);
    drop_zeros(a);
    paths.push_back(std::move(a));
  }
  for (std::size_t k = first; k < paths.size(); ++k) scale(paths[k], 1 / std::sqrt(mean_square(paths[k])));
}

void append_permutations(Couplings& out, int M, const Monomial& monomial, double value, int path) {
  std::vector<int> factors(monomial.end() - out.correlation, monomial.end());
  do {
    out.indices.push_back(M);
    out.indices.insert(out.indices.end(), factors.begin(), factors.end());
    out.indices.push_back(path);
    out.values.push_back(value);
  } while (std::next_permutation(factors.begin(), factors.end()));
}

void sort_rows(Couplings& c) {
  const int width = c.correlation + 2;
  std::vector<std::pair<std::vector<int>, double>> rows;
  for (int n = 0; n < c.nonzeros(); ++n) {
    const auto begin = c.indices.begin() + static_cast<std::ptrdiff_t>(n) * width;
    rows.push_back({{begin, begin + width}, c.values[n]});
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.back(), a.first) < std::tie(b.first.back(), b.first);
  });
  for (int n = 0; n < c.nonzeros(); ++n) {
    std::copy(rows[n].first.begin(), rows[n].first.end(), c.indices.begin() + static_cast<std::ptrdiff_t>(n) * width);
    c.values[n] = rows[n].second;
  }
}

}  // namespace

Couplings symmetric_couplings(int l_max, int L, int correlation) {
  require(l_max >= 0 && l_max <= highest_l && L >= 0 && L <= highest_l,
          "Couplings need l_max and L between 0 and {}, found l_max = {} and L = {}.", highest_l, l_max, L);
  require(correlation >= 1 && correlation <= max_correlation,
          "The correlation of the product basis must be 1 to {}, found {}.", max_correlation, correlation);
  std::vector<Irrep> paths;
  std::vector<int> l(correlation, 0);
  const std::function<void(int, int)> each_multiset = [&](int place, int sum) {
    if (place == correlation) {
      if ((sum + L) % 2 == 0) add_paths_of(l, L, paths);
      return;
    }
    for (l[place] = place == 0 ? 0 : l[place - 1]; l[place] <= l_max; ++l[place])
      each_multiset(place + 1, sum + l[place]);
  };
  each_multiset(0, 0);

  Couplings out;
  out.correlation = correlation;
  out.paths = static_cast<int>(paths.size());
  for (int p = 0; p < out.paths; ++p) {
    for (int M = 0; M <= 2 * L; ++M) {
      for (const auto& [monomial, value] : paths[p][M]) {
        append_permutations(out, M, monomial, value / permutations(monomial), p);
      }
    }
  }
  sort_rows(out);
  return out;
}

Couplings collect_monomials(const Couplings& couplings) {
  const int width = couplings.correlation + 2;
  std::map<std::vector<int>, double> sums;  // (path, M, i...)
  double largest = 0;
  for (int n = 0; n < couplings.nonzeros(); ++n) {
    const int* row = couplings.indices.data() + static_cast<std::ptrdiff_t>(n) * width;
    std::vector<int> key = {row[width - 1], row[0]};
    key.insert(key.end(), row + 1, row + width - 1);
    std::sort(key.begin() + 2, key.end());
    largest = std::max(largest, std::abs(sums[key] += couplings.values[n]));
  }
  Couplings out;
  out.correlation = couplings.correlation;
  out.paths = couplings.paths;
  for (const auto& [key, value] : sums) {
    if (std::abs(value) < 1e-12 * largest) continue;
    out.indices.insert(out.indices.end(), key.begin() + 1, key.end());
    out.indices.push_back(key[0]);
    out.values.push_back(value);
  }
  return out;
}

}  // namespace isotrope
