// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "so3/tensor_product.hpp"

/// The exact Clebsch-Gordan tensor product, in e3nn's conventions: a path (l1, p1) x (l2, p2) -> (l3, p1 p2), |l1 - l2|
/// <= l3 <= l1 + l2, is sqrt((2 l3 + 1) / n) times the Wigner 3j symbol (n paths end in the block of z that it ends in:
/// "component" and "element" normalisation), times its weight.
///
/// Evaluated about the polar axis: for m1 + m2 = M (signed), X_m1 Y_m2 of the complex components x_m -+ i x_-m are
/// formed once, and one dense real matrix per (l1, l2, M) takes them to all l3, the same matrix for real and imaginary
/// part. That is half the multiplications of the nonzero real 3j symbols, and no index per term.
namespace isotrope {

struct ProductPath {
  int first = 0, second = 0, out = 0;  ///< blocks
  bool operator==(const ProductPath&) const = default;
};

/// Every path has a block of z to itself, as o3.FullTensorProduct of e3nn: blocks sorted by l, odd before
/// even, then by block of x and of y. l3 <= l_max only; without l_max all (sum (2 l1 + 1)) (sum (2 l2 + 1)) outputs.
std::unique_ptr<TensorProduct> full_product(const Irreps& first, const Irreps& second, int l_max = 2 * 8);

/// All paths from x and y to the blocks of z, summed, one weight each in the order of exact_paths. Throws where no path
/// ends in a block of z.
std::unique_ptr<TensorProduct> exact_product(const Irreps& first, const Irreps& second, const Irreps& out);

/// Sorted by (out, first, second): which weight belongs to which path.
std::vector<ProductPath> exact_paths(const Irreps& first, const Irreps& second, const Irreps& out);

}  // namespace isotrope
