// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

namespace isotrope {

/// Wigner 3j symbols between real harmonics, as o3.wigner_3j of e3nn 0.5.6: the invariant tensor C_{m1 m2 m3} of l1 x
/// l2 x l3 with sum C^2 = 1, from Clebsch-Gordan coefficients by the change of basis (so C_{l2 l1 l3} = (-1)^(l1+l2+l3)
/// C_{l1 l2 l3} transposed). e3nn 0.4.4 has the opposite sign for some odd l1 + l2 + l3 and their permutations; up to l
/// = 8 for (1, l, l) with l >= 2, (3, 4, 6), (3, 5, 7), (3, 6, 8), (4, l, l + 1), (5, l, l). It agrees for every even
/// sum, so for all couplings of natural parity.
///
/// Row-major [2 l1 + 1][2 l2 + 1][2 l3 + 1], index m = -l ... l from 0. Computed once and kept; safe to call from
/// several threads. Throws unless 0 <= l <= 16 (nested couplings have intermediate l above 8) and |l1 - l2| <= l3 <= l1
/// + l2.
const std::vector<double>& wigner_3j(int l1, int l2, int l3);

/// A nonzero of the same tensor; m1, m2, m3 count from 0.
struct CouplingEntry {
  int m1, m2, m3;
  double value;
};
/// The nonzeros in row-major order.
const std::vector<CouplingEntry>& wigner_3j_sparse(int l1, int l2, int l3);

}  // namespace isotrope
