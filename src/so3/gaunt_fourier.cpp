// SPDX-License-Identifier: MIT
#include "so3/gaunt_fourier.hpp"

#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "so3/gaunt_core.hpp"
#include "so3/spherical_harmonics.hpp"

namespace isotrope {
namespace {

/// cos(u beta) for even m, sin(u beta) for odd m.
double wave(int m, int u, double beta) {
  return m % 2 == 0 ? std::cos(u * beta) : std::sin(u * beta);
}
/// beta_t = pi (t + 1/2) / n: the half of 2 n points on the circle that the sphere has.
double node(int t, int n) {
  return std::numbers::pi * (t + 0.5) / n;
}
/// The share of point t in the Fourier coefficient of wave(m, u).
double analysis(int m, int u, int t, int n) {
  const bool halved = u == 0 || u == n;
  return (halved ? 1.0 : 2.0) / n * wave(m, u, node(t, n));
}

/// The waves u <= largest of a class: u has the parity of its l.
std::vector<int> waves_of(int m, int parity, int largest) {
  std::vector<int> waves;
  for (int u = (m + parity) % 2; u <= largest; u += 2) {
    if (m % 2 == 0 || u > 0) waves.push_back(u);
  }
  return waves;
}

/// P_lm for all l, m at some nodes.
using LegendreValues = std::vector<std::vector<double>>;

/// The coefficient of wave(m, u) in P_lm, from its values at the n > l nodes.
double series_coefficient(int l, int m, int u, const LegendreValues& at_nodes) {
  const int n = static_cast<int>(at_nodes.size());
  double sum = 0;
  for (int t = 0; t < n; ++t) sum += analysis(m, u, t, n) * at_nodes[t][harmonics_detail::place(l, m)];
  return sum;
}

/// Means over the sphere of wave(m, u) P_lm: half the integral of a polynomial in cos(beta) of degree u + l.
class WaveIntegrals {
 public:
  explicit WaveIntegrals(int largest_u, int l_max) {
    gauss_legendre((largest_u + l_max) / 2 + 1, nodes_, weights_);
    for (double x : nodes_) values_.push_back(normalised_legendre(l_max, x));
  }
  double operator()(int l, int m, int u) const {
    double sum = 0;
    for (std::size_t k = 0; k < nodes_.size(); ++k)
      sum += weights_[k] / 2 * wave(m, u, std::acos(nodes_[k])) * values_[k][harmonics_detail::place(l, m)];
    return sum;
  }

 private:
  std::vector<double> nodes_, weights_;
  LegendreValues values_;
};

/// Values at n points by way of waves up to l_max, integrals by way of waves up to n - 1.
BetaTables fourier_tables(const Irreps& irreps, int n, int n_alpha) {
  BetaTables tables;
  tables.l_max = irreps.l_max();
  tables.pairs = (n + 1) / 2;
  const auto size = [&] { return static_cast<int>(tables.numbers.size()); };
  LegendreValues at_nodes;
  for (int t = 0; t < n; ++t) at_nodes.push_back(normalised_legendre(tables.l_max, std::cos(node(t, n))));
  const WaveIntegrals wave_integral(n - 1, tables.l_max);
  for (int m = 0; m <= tables.l_max; ++m) {
    for (int parity : {0, 1}) {
      const std::vector<int> degrees = start_class(tables, irreps, m, parity);
      if (degrees.empty()) continue;
      BetaTables::Class& c = tables.classes.back();
      const auto series = waves_of(m, parity, tables.l_max), of_product = waves_of(m, parity, n - 1);
      c.values = {static_cast<int>(series.size()), size(), 0};
      for (int u : series) {
        for (int l : degrees) tables.numbers.push_back(u > l ? 0 : series_coefficient(l, m, u, at_nodes));
      }
      c.values.of_waves = size();
      for (int p = 0; p < tables.pairs; ++p) {
        for (int u : series) tables.numbers.push_back(wave(m, u, node(p, n)));
      }
      c.integrals = {static_cast<int>(of_product.size()), size(), 0};
      for (int u : of_product) {
        for (int l : degrees) tables.numbers.push_back(wave_integral(l, m, u));
      }
      c.integrals.of_waves = size();
      for (int p = 0; p < tables.pairs; ++p) {
        // The node in the middle is its own mirror image and counted twice.
        const double share = (2 * p + 1 == n ? 0.5 : 1) / n_alpha;
        for (int u : of_product) tables.numbers.push_back(share * analysis(m, u, p, n));
      }
    }
  }
  return tables;
}

}  // namespace

std::unique_ptr<TensorProduct> gaunt_fourier_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  for (const Irreps* irreps : {&first, &second, &out}) check_scalar_field(*irreps);
  // The product has waves up to l1 + l2; z may ask for harmonics beyond, whose integrals are then zero.
  const int n = std::max(first.l_max() + second.l_max(), out.l_max()) + 1;
  const int n_alpha = first.l_max() + second.l_max() + out.l_max() + 1;
  require(n < 2 * grid_pairs_limit && n_alpha <= grid_alpha_limit,
          "A Fourier product has up to {} x {} points, asked for {} x {}.", 2 * grid_pairs_limit - 1, grid_alpha_limit,
          n, n_alpha);
  const GauntSource source{fourier_tables(first, n, n_alpha), fourier_tables(second, n, n_alpha),
                           fourier_tables(out, n, n_alpha), n_alpha};
  return make_gaunt_product(first, second, out, source);
}

}  // namespace isotrope
