// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/sphere_grid.hpp"
#include "so3/tensor_product.hpp"

/// The Gaunt tensor product (Luo, Chen and Krishnapriyan, ICLR 2024): inputs are read as functions on the sphere, f =
/// sum x_lm Y_lm and g = sum y_lm Y_lm, and z_lm is the mean of f g Y_lm over the sphere. Only paths with l1 + l2 + l3
/// even, all at once. Irreps of natural parity, each l once.
namespace isotrope {

/// On the sphere grid (Xie et al., ICML 2025, with Gauss-Legendre nodes), by default the smallest exact one: degree l1
/// + l2 + l3. Another grid is for showing that.
std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out);
std::unique_ptr<TensorProduct> gaunt_grid_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                                  const SphereGrid& grid);

/// The same function of x and y by its Clebsch-Gordan paths, with the kernel of exact_product.hpp: the faster one for
/// small l.
std::unique_ptr<TensorProduct> gaunt_paths_product(const Irreps& first, const Irreps& second, const Irreps& out);

/// Whichever of the two has fewer multiplications.
std::unique_ptr<TensorProduct> gaunt_product(const Irreps& first, const Irreps& second, const Irreps& out);

/// Means of Y_l1m1 Y_l2m2 Y_l3m3 over the sphere are this factor times wigner_3j(l1, l2, l3); zero for odd sums. The
/// path weight with which exact_product equals the Gaunt product is the factor over the normalisation of the path.
double gaunt_factor(int l1, int l2, int l3);

}  // namespace isotrope
