// SPDX-License-Identifier: MIT
// The symmetric contraction: derivatives, the sum over the whole U tensor, rotation and parity, tables that do not fit.
#include <gtest/gtest.h>

#include <cmath>

#include "layers/product_basis.hpp"
#include "layers/weights.hpp"
#include "so3/couplings.hpp"
#include "so3/gaunt_powers.hpp"
#include "so3/wigner_d.hpp"
#include "support/layer_checks.hpp"
#include "support/message_of.hpp"

namespace isotrope {
namespace {

using namespace test;

constexpr int channels = 11, species = 3, atoms = 23;
const std::vector<int> segment{0, 3, 3, atoms};  // no atom of the second species; 20 are more than one work item

CouplingTable table_of(int l_max, int L, int nu) {
  const Couplings u = symmetric_couplings(l_max, L, nu);
  return {L, nu, u.paths, u.indices, u.values};
}
std::vector<CouplingTable> tables_up_to(int l_max, int L, int correlation) {
  std::vector<CouplingTable> tables;
  for (int l = 0; l <= L; ++l) {
    for (int nu = correlation; nu >= 1; --nu) tables.push_back(table_of(l_max, l, nu));
  }
  return tables;
}
template <class A>
Layout layout_up_to(int L) {
  Layout layout;
  for (int l = 0; l <= L; ++l) layout.add(l, channels, padded<typename A::Real>(channels));
  return layout;
}

struct ProductCase : LayerCase {
  int l_max, L;
  ProductBasis basis;
  ProductCase(const std::vector<CouplingTable>& tables, int l_max, int L) : l_max(l_max), L(L), basis(tables, l_max) {
    inputs = dual_inputs = atoms * basis.components * channels;
    outputs = atoms * basis.outputs * channels;
    weights = species * basis.weights * channels;
  }
  ProductCase(int l_max, int L, int correlation) : ProductCase(tables_up_to(l_max, L, correlation), l_max, L) {}

  template <class A>
  Shape weight_shape() const {
    return {{species * basis.weights, {{channels, padded<typename A::Real>(channels)}}}};
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    const Layout in = layout_up_to<A>(l_max), out = layout_up_to<A>(L);
    const auto memory = store<A>(shape_of(in, atoms), x), b = poisoned<A>(shape_of(out, atoms));
    const auto values = store<Plain<typename A::Real>>(weight_shape<A>(), {w, {}});
    product_forward<A>(basis, segment, values.data(), features<A>(in, atoms, memory), features<A>(out, atoms, b));
    return read<A>(shape_of(out, atoms), b);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    const Layout in = layout_up_to<A>(l_max), out = layout_up_to<A>(L);
    const auto memory = store<A>(shape_of(in, atoms), x), g_b = store<A>(shape_of(out, atoms), gy);
    const auto g_x = poisoned<A>(shape_of(in, atoms));
    const auto values = store<Real>(weight_shape<A>(), {w, {}});
    const auto gradient = store<Real>(weight_shape<A>(), {gw ? *gw : w, {}});
    product_backward<A>(basis, segment, values.data(), features<A>(in, atoms, memory), features<A>(out, atoms, g_b),
                        features<A>(in, atoms, g_x), gw ? gradient.data() : nullptr);
    if (gw) *gw = read<Real>(weight_shape<A>(), gradient).v;
    return read<A>(shape_of(in, atoms), g_x);
  }
};

TEST(ProductBasis, Derivatives) {
  for (const auto& [l_max, L, correlation] :
       {std::array{1, 0, 1}, {1, 1, 2}, {2, 2, 3}, {3, 0, 3}, {3, 2, 3}, {2, 1, 2}}) {
    SCOPED_TRACE(::testing::Message() << "l_max = " << l_max << ", L = " << L << ", correlation " << correlation);
    check_layer(ProductCase(l_max, L, correlation));
  }
}

// ---- the definition ------------------------------------------------------------------------------------------------

/// Component i = l^2 + m of an atom, from [l][atom][m][channel].
double component(const std::vector<double>& x, int atom, int i, int c) {
  int l = 0;
  while ((l + 1) * (l + 1) <= i) ++l;
  return x[(atoms * l * l + atom * (2 * l + 1) + i - l * l) * channels + c];
}

/// weights[table][species][path][channel] of the parameters -> what the kernels read.
std::vector<double> mixed(const ProductBasis& basis, const std::vector<std::vector<double>>& weights) {
  std::vector<double> out(species * basis.weights * channels, 0);
  for (std::size_t n = 0; n < weights.size(); ++n) {
    const ProductBasis::Mixing& m = basis.mixing[n];
    for (int s = 0; s < species; ++s) {
      for (int k = 0; k < m.independent; ++k) {
        for (int p = 0; p < m.paths; ++p) {
          for (int c = 0; c < channels; ++c) {
            out[(s * basis.weights + m.weight + k) * channels + c] +=
                m.mix[k * m.paths + p] * weights[n][(s * m.paths + p) * channels + c];
          }
        }
      }
    }
  }
  return out;
}

void expect_definition(const std::vector<CouplingTable>& tables, int l_max, int L) {
  const ProductCase layer(tables, l_max, L);
  const auto x = random_numbers(layer.inputs, 1);
  std::vector<std::vector<double>> weights;
  for (const CouplingTable& t : tables)
    weights.push_back(random_numbers(species * t.paths * channels, 2 + weights.size()));
  std::vector<double> expected(layer.outputs, 0);
  for (std::size_t n = 0; n < tables.size(); ++n) {
    const CouplingTable& t = tables[n];
    const int stride = t.nu + 2, d = 2 * t.L + 1;
    for (int atom = 0; atom < atoms; ++atom) {
      const int s = atom < segment[1] ? 0 : 2;
      for (std::size_t u = 0; u < t.values.size(); ++u) {
        const int* row = t.indices.data() + u * stride;
        for (int c = 0; c < channels; ++c) {
          double term = t.values[u] * weights[n][(s * t.paths + row[t.nu + 1]) * channels + c];
          for (int f = 1; f <= t.nu; ++f) term *= component(x, atom, row[f], c);
          expected[(atoms * t.L * t.L + atom * d + row[0]) * channels + c] += term;
        }
      }
    }
  }
  expect_close(layer.forward<Plain<double>>(mixed(layer.basis, weights), {x, {}}).v, expected, 1e-12);
}

TEST(ProductBasis, EqualsTheSumOverTheWholeTensor) {
  expect_definition(tables_up_to(3, 2, 3), 3, 2);
  expect_definition(tables_up_to(1, 1, 2), 1, 1);
  expect_definition(tables_up_to(3, 0, 1), 3, 0);
}

/// As mace-torch has them: paths that are copies or combinations of others, or vanish on a power of x.
TEST(ProductBasis, FoldsRedundantPaths) {
  auto tables = tables_up_to(2, 1, 2);
  std::vector<int> paths_before;
  for (CouplingTable& t : tables) {
    paths_before.push_back(t.paths);
    const std::size_t size = t.values.size();
    for (std::size_t n = 0; n < size; ++n) {  // path + paths: a copy, scaled, with its factors swapped
      std::vector<int> row(t.indices.begin() + n * (t.nu + 2), t.indices.begin() + (n + 1) * (t.nu + 2));
      std::swap(row[1], row[t.nu]);
      row[t.nu + 1] += t.paths;
      t.indices.insert(t.indices.end(), row.begin(), row.end());
      t.values.push_back(-0.3 * t.values[n]);
    }
    t.paths *= 2;
    if (t.nu != 2) continue;
    const std::vector<int> antisymmetric{0, 1, 2, t.paths, 0, 2, 1, t.paths};
    t.indices.insert(t.indices.end(), antisymmetric.begin(), antisymmetric.end());
    t.values.insert(t.values.end(), {0.7, -0.7});
    ++t.paths;
  }
  const ProductBasis basis(tables, 2);
  for (std::size_t n = 0; n < tables.size(); ++n) EXPECT_EQ(basis.mixing[n].independent, paths_before[n]);
  expect_definition(tables, 2, 1);
}

std::vector<CouplingTable> powers_up_to(int l_max, int L, int correlation) {
  std::vector<CouplingTable> tables;
  for (int l = 0; l <= L; ++l) {
    for (int nu = correlation; nu >= 1; --nu) {
      const Couplings u = gaunt_power_couplings(l_max, l, nu);
      tables.push_back({l, nu, u.paths, u.indices, u.values});
    }
  }
  return tables;
}

/// Plain numbers on the grid, duals term by term, are the same function; by the grid only where the tables are exactly
/// those powers, and many.
TEST(ProductBasis, PowersAreEvaluatedOnTheGrid) {
  const auto powers = powers_up_to(3, 2, 3);
  const ProductCase layer(powers, 3, 2);
  EXPECT_EQ(layer.basis.on_grid != nullptr, !device_build);
  check_layer(layer);
  expect_definition(powers, 3, 2);
  auto others = powers;
  others[1].values[3] += 1e-6;
  EXPECT_EQ(ProductBasis(others, 3).on_grid, nullptr);
  expect_definition(others, 3, 2);
  EXPECT_EQ(ProductBasis(powers_up_to(3, 0, 3), 3).on_grid, nullptr);
  EXPECT_EQ(ProductBasis(tables_up_to(3, 2, 3), 3).on_grid, nullptr);
}

TEST(ProductBasis, TurnsWithItsInput) {
  const ProductCase layer(3, 2, 3);
  const auto w = random_numbers(layer.weights, 1), x = random_numbers(layer.inputs, 2);
  for (const int sign : {1, -1}) {
    Mat3 R = random_rotation(4);
    for (Vec3& row : R) row = static_cast<double>(sign) * row;
    const auto rotate = [&](const std::vector<double>& in, int l_max) {
      std::vector<double> out(in.size(), 0);
      for (int l = 0; l <= l_max; ++l) {
        const auto D = wigner_d(l, R);
        const int d = 2 * l + 1;
        for (int i = 0; i < atoms; ++i) {
          for (int a = 0; a < d; ++a) {
            for (int b = 0; b < d; ++b) {
              for (int c = 0; c < channels; ++c) {
                out[(atoms * l * l + i * d + a) * channels + c] +=
                    D[a * d + b] * in[(atoms * l * l + i * d + b) * channels + c];
              }
            }
          }
        }
      }
      return out;
    };
    expect_close(layer.forward<Plain<double>>(w, {rotate(x, 3), {}}).v,
                 rotate(layer.forward<Plain<double>>(w, {x, {}}).v, 2), 1e-12);
  }
}

// ---- tables that do not fit ----------------------------------------------------------------------------------------

std::string error_of(const std::vector<CouplingTable>& tables, int l_max) {
  return testing::message_of([&] { const ProductBasis basis(tables, l_max); });
}

TEST(ProductBasis, RefusesTablesThatDoNotFit) {
  auto tables = tables_up_to(1, 1, 2);
  EXPECT_EQ(error_of(tables, 1), "no error");
  EXPECT_EQ(error_of(tables, 4), "product basis: l_max is 4, at most 3 is supported");
  auto broken = tables;
  broken[0].indices[1] = 4;
  EXPECT_EQ(error_of(broken, 1), "coupling table L = 0, nu = 2: entry 0 is out of range");
  broken = tables;
  broken[3].indices[3 * 2] = -1;
  EXPECT_EQ(error_of(broken, 1), "coupling table L = 1, nu = 1: entry 2 is out of range");
}

/// An output without a term would never be written.
TEST(ProductBasis, RefusesAnOutputWithoutCouplings) {
  auto tables = tables_up_to(1, 1, 1);
  for (double& value : tables[1].values) value = 0;
  EXPECT_EQ(error_of(tables, 1), "product basis: no coupling leads to L = 1, M = 0");
  tables[1].indices.clear();
  tables[1].values.clear();
  EXPECT_EQ(error_of(tables, 1), "product basis: no coupling leads to L = 1, M = 0");
}

}  // namespace
}  // namespace isotrope
