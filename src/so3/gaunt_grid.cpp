// SPDX-License-Identifier: MIT
#include "so3/gaunt_grid.hpp"

#include "so3/gaunt_core.hpp"

namespace isotrope {

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const SphereGrid& grid) {
  for (const Irreps* irreps : {&first, &second, &out}) check_scalar_field(*irreps);
  const GauntSource source{legendre_tables(first, grid), legendre_tables(second, grid), legendre_tables(out, grid),
                           grid.n_alpha};
  return make_gaunt_product(first, second, out, source);
}

std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out) {
  return gaunt_grid_product(first, second, out, SphereGrid::exact_for(first.l_max() + second.l_max() + out.l_max()));
}

}  // namespace isotrope
