// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

/// Radial functions of a distance, in double, over plain numbers and duals.
namespace isotrope {

/// sqrt(2/rc) sin(w_n r) / r times the polynomial cutoff
/// u(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2), x = r/rc
/// (Gasteiger et al., Directional message passing, ICLR 2020, eqs. 7 and 8). C2 at the cutoff for p >= 2.
struct BesselBasis {
  int count = 8;
  int power = 5;
  double cutoff = 5;
  const double* frequencies = nullptr;  ///< [count] Å^-1

  template <class N>
  KOKKOS_INLINE_FUNCTION N envelope(const N& r) const {
    if (value_of(r) >= cutoff) return r * 0.0;
    const N x = r / cutoff;
    N xp = x;
    for (int k = 1; k < power; ++k) xp = xp * x;
    const double p = power;
    return 1.0 - xp * (0.5 * (p + 1) * (p + 2) - p * (p + 2) * x + 0.5 * p * (p + 1) * x * x);
  }
  /// The n-th function; `scaled_envelope` is sqrt(2/rc) u(r) / r.
  template <class N>
  KOKKOS_INLINE_FUNCTION N value(int n, const N& r, const N& scaled_envelope) const {
    using std::sin;
    return sin(r * frequencies[n]) * scaled_envelope;
  }
  template <class N>
  KOKKOS_INLINE_FUNCTION N scaled_envelope(const N& r) const {
    using std::sqrt;
    return envelope(r) * sqrt(2.0 / cutoff) / r;
  }
};

}  // namespace isotrope
