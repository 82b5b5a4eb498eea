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

template <class T>
LegendreTransform<T>::LegendreTransform(const Irreps& irreps, const SphereGrid& grid) : l_max(irreps.l_max()) {
  const int nodes = static_cast<int>(grid.cos_beta.size());
  pairs = (nodes + 1) / 2;
  require(pairs <= grid_pairs_limit && grid.n_alpha <= grid_alpha_limit && l_max <= 16,
          "A sphere grid has up to {} x {} points and l <= 16, asked for {} x {} and l = {}.", 2 * grid_pairs_limit - 1,
          grid_alpha_limit, nodes, grid.n_alpha, l_max);
  std::vector<std::vector<double>> legendre;
  for (int p = 0; p < pairs; ++p) legendre.push_back(normalised_legendre(l_max, grid.cos_beta[nodes - 1 - p]));
  std::vector<Order> order_list;
  std::vector<int> centre_list;
  std::vector<T> values, with_weight;
  for (int m = 0; m <= l_max; ++m) {
    Order order{static_cast<int>(centre_list.size()), 0, 0, static_cast<int>(values.size())};
    for (int parity : {0, 1}) {
      std::vector<int> degrees;
      int at = 0;
      for (const Irrep& b : irreps.blocks()) {
        if (b.l >= m && (b.l + m) % 2 == parity) {
          degrees.push_back(b.l);
          centre_list.push_back(at + b.l);
        }
        at += 2 * b.l + 1;
      }
      (parity == 0 ? order.even : order.odd) = static_cast<int>(degrees.size());
      for (int p = 0; p < pairs; ++p) {
        // The node in the middle is its own mirror image and counted twice.
        const double share = 2 * p + 1 == nodes ? 0.5 : 1;
        const double weight = share * grid.weight[nodes - 1 - p] / grid.n_alpha;
        for (int l : degrees) {
          const double value = legendre[p][harmonics_detail::place(l, m)];
          values.push_back(static_cast<T>(value));
          with_weight.push_back(static_cast<T>(weight * value));
        }
      }
    }
    order_list.push_back(order);
  }
  orders = to_device("isotrope::sphere_grid::orders", order_list);
  centres = to_device("isotrope::sphere_grid::centres", centre_list);
  matrix = to_device("isotrope::sphere_grid::legendre", values);
  weighted = to_device("isotrope::sphere_grid::weighted_legendre", with_weight);
}
template struct LegendreTransform<float>;
template struct LegendreTransform<double>;

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

long grid_multiplications(const Irreps& irreps, const SphereGrid& grid) {
  const long pairs = (grid.cos_beta.size() + 1) / 2;
  const long folded = (grid.n_alpha / 2 + 1) * (irreps.l_max() + 1L) + (grid.n_alpha - 1) / 2 * irreps.l_max();
  return pairs * components(irreps) + 2 * pairs * folded;
}

}  // namespace isotrope
