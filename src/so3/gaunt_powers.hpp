// SPDX-License-Identifier: MIT
#pragma once
#include "so3/couplings.hpp"

/// Powers of a function on the sphere, f = sum x_i Y_i with i over the harmonics up to l_max: the many-body Gaunt
/// product (Luo, Chen and Krishnapriyan, ICLR 2024, sec. 3.2), B_LM = scale <f^nu Y_LM>, <> the mean over the sphere.
namespace isotrope {

/// With this factor the mean over M of E[B_LM^2] is 1 for independent standard normal x, as symmetric_couplings() has
/// it. Positive; throws where no power reaches L (nu l_max < L).
double gaunt_power_scale(int l_max, int L, int nu);

/// The same polynomials written out: one path, every product of factors once, sorted (M, i_1 <= ... <= i_nu), scaled.
/// By quadrature on an exact grid; l_max, L <= 8, 1 <= nu <= 4.
Couplings gaunt_power_couplings(int l_max, int L, int nu);

}  // namespace isotrope
