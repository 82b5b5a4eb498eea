// SPDX-License-Identifier: MIT
#include "so3/tensor_product.hpp"

namespace isotrope {

int components(const Irreps& irreps) {
  int sum = 0;
  for (const Irrep& b : irreps.blocks()) sum += b.mul * (2 * b.l + 1);
  return sum;
}

Irreps harmonics_irreps(int l_max) {
  std::vector<Irrep> blocks;
  for (int l = 0; l <= l_max; ++l) blocks.push_back({1, l, l % 2 == 0 ? 1 : -1});
  return Irreps(std::move(blocks));
}

}  // namespace isotrope
