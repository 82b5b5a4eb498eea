// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/tensor_product.hpp"

namespace isotrope {

/// Many-body powers on the sphere grid: with f = sum x_lm Y_lm, z_lm = sum over nu = 1 ... correlation of w_{nu,l}
/// times the mean of f^nu Y_lm. What MACE's symmetric contraction is in the Gaunt family, but f is put on the grid
/// once, raised to its powers there, and each power projected straight to the l of z. The grid is the smallest exact
/// one, degree correlation * l_max(x) + l_max(z), at most 32.
///
/// A TensorProduct whose second operand is empty: y is not read. Weights are [nu - 1][block of z]; none: all ones.
/// Irreps of natural parity, each l once.
std::unique_ptr<TensorProduct> grid_powers(const Irreps& in, const Irreps& out, int correlation);

}  // namespace isotrope
