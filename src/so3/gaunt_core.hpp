// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/sphere_grid.hpp"
#include "so3/tensor_product.hpp"

namespace isotrope {

/// What a Gaunt product is made from: for x, y, z the step along beta, Legendre or Fourier.
struct GauntSource {
  BetaTables x, y, z;
  int n_alpha;
};

/// Functions to a grid, their product there, and back; one weight per block of x, y and z.
std::unique_ptr<TensorProduct> make_gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const GauntSource& source);

}  // namespace isotrope
