// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "so3/tensor_product.hpp"

namespace isotrope {

/// The same Gaunt product by 2-D Fourier series, as Luo, Chen and Krishnapriyan (ICLR 2024) compute it. With beta
/// extended to the whole circle, Y_lm is a trigonometric polynomial in both angles: a cosine series in beta for even m,
/// a sine series for odd m. So: harmonics to Fourier coefficients; the coefficients of the product are a convolution,
/// by a discrete Fourier transform padded so that nothing wraps around (l1 + l2 + 1 points in beta, l1 + l2 + l3 + 1 in
/// alpha), a pointwise product and the transform back; then the integrals of the Fourier functions with the harmonics.
/// In real arithmetic, using that functions on the sphere are even or odd under beta -> -beta; transforms are plain
/// matrices, at most 17 x 9 and 33 x 17.
std::unique_ptr<TensorProduct> gaunt_fourier_product(const Irreps& first, const Irreps& second, const Irreps& out);

}  // namespace isotrope
