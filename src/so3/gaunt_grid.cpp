// SPDX-License-Identifier: MIT
#include "so3/gaunt_grid.hpp"

#include <cmath>

#include "so3/clebsch_gordan.hpp"
#include "so3/gaunt_core.hpp"

namespace isotrope {

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const SphereGrid& grid) {
  for (const Irreps* irreps : {&first, &second, &out}) check_scalar_field(*irreps);
  const GauntSource source{legendre_tables(first, grid),
                           legendre_tables(second, grid),
                           legendre_tables(out, grid),
                           grid.n_alpha,
                           ProductBlocks(first),
                           ProductBlocks(second),
                           ProductBlocks(out)};
  return gaunt_product(first, second, out, source);
}

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  return gaunt_grid_product(first, second, out, SphereGrid::exact_for(first.l_max() + second.l_max() + out.l_max()));
}

double gaunt_factor(int l1, int l2, int l3) {
  if ((l1 + l2 + l3) % 2 != 0) return 0;
  // At the pole only m = 0 is there, Y_l0 = sqrt(2 l + 1); so the factor is prod sqrt(2 l + 1) times the symbol of
  // three m = 0, whose square is that of the Wigner 3j symbol (l1 l2 l3; 0 0 0).
  const std::vector<double>& c = wigner_3j(l1, l2, l3);
  const double middle = c[(l1 * (2 * l2 + 1) + l2) * (2 * l3 + 1) + l3];
  return std::sqrt((2 * l1 + 1.0) * (2 * l2 + 1.0) * (2 * l3 + 1.0)) * middle;
}

}  // namespace isotrope
