// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <vector>

#include "core/vec3.hpp"

namespace isotrope {

/// D^l(R), row-major [2l + 1][2l + 1], 0 <= l <= 16, in the basis of spherical_harmonics: Y_l(R u) = D^l(R) Y_l(u). R
/// is orthogonal: a rotation, or one times the inversion, under which a block of parity +1 or -1 takes that factor.
/// e3nn's o3.Irrep(l, parity). Throws if R is not orthogonal to 1e-6.
std::vector<double> wigner_d(int l, const Mat3& rotation, int parity);

/// The parity of the harmonics themselves, (-1)^l.
std::vector<double> wigner_d(int l, const Mat3& rotation);

/// Uniform over all rotations (Haar measure); the same seed gives the same rotation everywhere.
Mat3 random_rotation(std::uint64_t seed);

}  // namespace isotrope
