// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/tensor_product.hpp"

namespace isotrope {

/// The vector Gaunt product: inputs are read as vector fields on the sphere, multiplied pointwise by the cross product.
/// It reaches the antisymmetric paths (l1 + l2 + l3 odd) that a product of functions cannot.
///
/// A block (j, p) of x or y becomes a polar vector field, sum_m x_jm V_jm^l with V_jm^l = sqrt(2 j + 1) sum C(1 a, l
/// m', j m) e_a Y_lm' (vector spherical harmonics, mean of |V|^2 over the sphere 1): l = j - 1 and j + 1 where p =
/// (-1)^j, l = j where p = -(-1)^j. The cross product of two is an axial field, from which a block of z takes l = j
/// where p =
/// (-1)^j and j - 1, j + 1 where p = -(-1)^j. One weight for each of these pairs (block, l), in the order of x, y, z
/// and with ascending l; a block that has none (0o of x and y, 0e of z) is an error. On the smallest exact grid.
std::unique_ptr<TensorProduct> vector_gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out);

}  // namespace isotrope
