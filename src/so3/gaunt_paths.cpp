// SPDX-License-Identifier: MIT
#include <cmath>

#include "so3/clebsch_gordan.hpp"
#include "so3/degree_weights.hpp"
#include "so3/exact_core.hpp"
#include "so3/gaunt_grid.hpp"

namespace isotrope {
namespace {

/// The exact kernel inside weights per block.
template <class T>
struct GauntPaths {
  ExactCore<T, false> core;
  explicit GauntPaths(const ExactSource& s) : core(s) {}

  template <class A>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* x, const typename A::Vec* y, typename A::Vec* z) const {
    core.template forward<A>(x, y, WeightRow<A>{}, LocalRow<A>{z});
  }
  template <class A>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* x, const typename A::Vec* y, const typename A::Vec* g_z,
                                       typename A::Vec* g_x, typename A::Vec* g_y) const {
    const LocalRow<A> row{const_cast<typename A::Vec*>(g_z)};
    core.template backward<A>(x, y, WeightRow<A>{}, row, g_x, g_y, static_cast<const WeightRow<A>*>(nullptr));
  }
};
template <class T>
using GauntPathsCore = DegreeWeighted<GauntPaths<T>>;

}  // namespace

double gaunt_factor(int l1, int l2, int l3) {
  if ((l1 + l2 + l3) % 2 != 0) return 0;
  // At the pole only m = 0 is there, Y_l0 = sqrt(2 l + 1); so the factor is prod sqrt(2 l + 1) times the symbol of
  // three m = 0, whose square is that of the Wigner 3j symbol (l1 l2 l3; 0 0 0).
  const std::vector<double>& c = wigner_3j(l1, l2, l3);
  const double middle = c[(l1 * (2 * l2 + 1) + l2) * (2 * l3 + 1) + l3];
  return std::sqrt((2 * l1 + 1.0) * (2 * l2 + 1.0) * (2 * l3 + 1.0)) * middle;
}

std::unique_ptr<TensorProduct> gaunt_paths_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  for (const Irreps* irreps : {&first, &second, &out}) check_scalar_field(*irreps);
  const std::vector<ProductPath> paths = exact_paths(first, second, out);
  std::vector<double> scale;
  for (const ProductPath& p : paths)
    scale.push_back(gaunt_factor(first.blocks()[p.first].l, second.blocks()[p.second].l, out.blocks()[p.out].l));
  const ExactTables tables = exact_tables(first, second, out, paths, scale);
  const ExactSource source{tables, ProductBlocks(first), ProductBlocks(second), ProductBlocks(out)};
  const int weights = source.first.blocks + source.second.blocks + source.out.blocks;
  return std::make_unique<ProductOf<GauntPathsCore>>(first, second, out, weights, tables.multiplications(),
                                                     static_cast<long>(tables.matrix.size()), source);
}

std::unique_ptr<TensorProduct> gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  auto paths = gaunt_paths_product(first, second, out);
  auto grid = gaunt_grid_product(first, second, out);
  return paths->multiplications() < grid->multiplications() ? std::move(paths) : std::move(grid);
}

}  // namespace isotrope
