// SPDX-License-Identifier: MIT
#include "so3/sphere_grid.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {

void gauss_legendre(int n, std::vector<double>& nodes, std::vector<double>& weights) {
  nodes.assign(n, 0.0);
  weights.assign(n, 0.0);
  for (int k = 0; k < n; ++k) {
    double x = -std::cos(std::numbers::pi * (k + 0.75) / (n + 0.5)), slope = 1;
    for (int step = 0; step < 100; ++step) {
      double p = 1, previous = 0;
      for (int l = 1; l <= n; ++l) {
        const double next = ((2 * l - 1) * x * p - (l - 1) * previous) / l;
        previous = p;
        p = next;
      }
      slope = n * (x * p - previous) / (x * x - 1);
      const double change = p / slope;
      x -= change;
      if (std::abs(change) < 1e-16) break;
    }
    nodes[k] = 2 * k + 1 == n ? 0 : x;
    weights[k] = 2 / ((1 - x * x) * slope * slope);
  }
}

SphereGrid SphereGrid::of_size(int n_beta, int n_alpha) {
  SphereGrid grid;
  gauss_legendre(n_beta, grid.cos_beta, grid.weight);
  for (double& w : grid.weight) w /= 2;
  grid.n_alpha = n_alpha;
  return grid;
}

SphereGrid SphereGrid::exact_for(int degree) {
  return of_size((degree + 2) / 2, degree + 1);
}

std::vector<double> normalised_legendre(int l_max, double y) {
  using namespace harmonics_detail;
  std::vector<double> p((l_max + 1) * (l_max + 2) / 2, 0.0);
  const double sine = std::sqrt(std::max(0.0, 1 - y * y));
  for (int m = 0; m <= l_max; ++m) {
    p[place(m, m)] = diagonal(m) * std::pow(sine, m);
    for (int l = m + 1; l <= l_max; ++l) {
      p[place(l, m)] = recurrence_a(l, m) * y * p[place(l - 1, m)];
      if (l > m + 1) p[place(l, m)] -= recurrence_a(l, m) * recurrence_b(l, m) * p[place(l - 2, m)];
    }
  }
  return p;
}

std::vector<int> start_class(BetaTables& tables, const Irreps& irreps, int m, int parity) {
  BetaTables::Class c;
  c.centre = static_cast<int>(tables.centres.size());
  std::vector<int> degrees;
  int at = 0;
  for (const Irrep& b : irreps.blocks()) {
    if (b.l >= m && (b.l + m) % 2 == parity) {
      degrees.push_back(b.l);
      tables.centres.push_back(at + b.l);
    }
    at += 2 * b.l + 1;
  }
  c.blocks = static_cast<int>(degrees.size());
  tables.classes.push_back(c);
  return degrees;
}

BetaTables legendre_tables(const Irreps& irreps, const SphereGrid& grid) {
  const int nodes = static_cast<int>(grid.cos_beta.size());
  BetaTables tables;
  tables.l_max = irreps.l_max();
  tables.pairs = (nodes + 1) / 2;
  require(tables.pairs <= grid_pairs_limit && grid.n_alpha <= grid_alpha_limit && tables.l_max <= 16,
          "A sphere grid has up to {} x {} points and l <= 16, asked for {} x {} and l = {}.", 2 * grid_pairs_limit - 1,
          grid_alpha_limit, nodes, grid.n_alpha, tables.l_max);
  // Pair p: the p-th node from the pole, and its mirror image.
  std::vector<std::vector<double>> legendre;
  for (int p = 0; p < tables.pairs; ++p)
    legendre.push_back(normalised_legendre(tables.l_max, grid.cos_beta[nodes - 1 - p]));
  for (int m = 0; m <= tables.l_max; ++m) {
    for (int parity : {0, 1}) {
      const std::vector<int> degrees = start_class(tables, irreps, m, parity);
      BetaTables::Class& c = tables.classes.back();
      c.values.of_blocks = static_cast<int>(tables.numbers.size());
      for (int p = 0; p < tables.pairs; ++p) {
        for (int l : degrees) tables.numbers.push_back(legendre[p][harmonics_detail::place(l, m)]);
      }
      c.integrals.of_blocks = static_cast<int>(tables.numbers.size());
      for (int p = 0; p < tables.pairs; ++p) {
        // The node in the middle is its own mirror image and counted twice.
        const double share = (2 * p + 1 == nodes ? 0.5 : 1) * grid.weight[nodes - 1 - p] / grid.n_alpha;
        for (int l : degrees) tables.numbers.push_back(share * legendre[p][harmonics_detail::place(l, m)]);
      }
    }
  }
  return tables;
}

namespace {
long chain_multiplications(const BetaTables& tables, BetaTables::Chain BetaTables::Class::*which) {
  long sum = 0;
  for (const BetaTables::Class& c : tables.classes) {
    const BetaTables::Chain& chain = c.*which;
    sum += chain.waves == 0 ? 2L * tables.pairs * c.blocks : 2L * chain.waves * (c.blocks + tables.pairs);
  }
  return sum;
}
}  // namespace

long BetaTables::values_multiplications() const {
  return chain_multiplications(*this, &Class::values);
}
long BetaTables::integrals_multiplications() const {
  return chain_multiplications(*this, &Class::integrals);
}
long alpha_multiplications(int l, int n_alpha, int pairs) {
  return 2L * pairs * ((n_alpha / 2 + 1) * (l + 1L) + (n_alpha - 1) / 2 * l);
}

void check_scalar_field(const Irreps& irreps) {
  std::vector<bool> seen(17, false);
  for (const Irrep& b : irreps.blocks()) {
    const bool good = b.mul == 1 && b.l <= 16 && b.parity == (b.l % 2 == 0 ? 1 : -1) && !seen[b.l];
    require(good,
            "A function on the sphere has irreps such as 1x0e+1x1o+1x2e, each l once with parity (-1)^l: found '{}'.",
            irreps.text());
    seen[b.l] = true;
  }
}

}  // namespace isotrope
