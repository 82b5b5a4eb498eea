// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/tensor_product.hpp"

namespace isotrope {

/// The matrix tensor product (Xie et al., ICML 2025): with l~ = ceil((l1 + l2) / 2), or larger where z needs it, x and
/// y become (2 l~ + 1) x (2 l~ + 1) matrices X_ab = sum_lm sqrt(2 l + 1) C(l~ a, l~ b, l m) x_lm, and z is read from X
/// Y in the same orthonormal basis. It has both parities of l1 + l2 + l3 at once, so it knows rotations only: all
/// irreps are labelled even ("1x0e+1x1e"), each l once. One weight per block of x, y and z.
std::unique_ptr<TensorProduct> matrix_product(const Irreps& first, const Irreps& second, const Irreps& out);

}  // namespace isotrope
