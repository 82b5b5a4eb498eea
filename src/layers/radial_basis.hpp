// SPDX-License-Identifier: MIT
#pragma once
#include <cmath>

#include "core/lane.hpp"

/// Radial functions of a distance, in double, over plain numbers and duals.
namespace isotrope {

template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> cos(const Dual<X>& a) {
  using std::cos;
  using std::sin;
  return {cos(a.v), -(sin(a.v) * a.t)};
}
template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> pow(const Dual<X>& a, double exponent) {
  using std::pow;
  const X lower = pow(a.v, exponent - 1);
  return {lower * a.v, exponent * lower * a.t};
}

/// How radial functions end at the cutoff; x = r/rc, and 0 beyond.
struct Envelope {
  enum class Kind { polynomial, xplor };
  Kind kind = Kind::polynomial;
  double cutoff = 5;  ///< rc, Å
  int power = 5;      ///< p of the polynomial
  double on = 0;      ///< Å, where XPLOR begins to fall

  /// u(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2) (Gasteiger et al., Directional message passing,
  /// ICLR 2020, eqs. 7 and 8). C2 at the cutoff for p >= 2.
  static Envelope polynomial(int power, double cutoff) { return {Kind::polynomial, cutoff, power, 0}; }
  /// 1 up to `on`, then (rc^2 - r^2)^2 (rc^2 + 2 r^2 - 3 on^2) / (rc^2 - on^2)^3 (Brünger, X-PLOR). C1.
  static Envelope xplor(double on, double cutoff) { return {Kind::xplor, cutoff, 0, on}; }

  template <class N>
  KOKKOS_INLINE_FUNCTION N operator()(const N& r) const {
    if (value_of(r) >= cutoff) return r * 0.0;
    if (kind == Kind::xplor) {
      if (value_of(r) <= on) return r * 0.0 + 1.0;
      const double rc2 = cutoff * cutoff, on2 = on * on, width = rc2 - on2;
      const N r2 = r * r, rest = rc2 - r2;
      return rest * rest * (rc2 - 3 * on2 + 2.0 * r2) / (width * width * width);
    }
    const N x = r / cutoff;
    N xp = x;
    for (int k = 1; k < power; ++k) xp = xp * x;
    const double p = power;
    return 1.0 - xp * (0.5 * (p + 1) * (p + 2) - p * (p + 2) * x + 0.5 * p * (p + 1) * x * x);
  }
};

/// The Agnesi transform of distances (Witt et al., ACEpotentials.jl, J. Chem. Phys. 159, 164101, 2023), which puts the
/// bonds of all elements at about the same place: x = 1 / (1 + a s^q / (1 + s^(q-p))), s = r / r0, where r0 is the mean
/// of the two elements' radii. x has no unit and falls from 1 towards 0.
struct AgnesiTransform {
  double a = 0, q = 0, p = 0;
  const double* radii = nullptr;  ///< [species] Å; null: distances stay as they are

  template <class N>
  KOKKOS_INLINE_FUNCTION N operator()(const N& r, int species_1, int species_2) const {
    using std::pow;
    const N s = r * (2.0 / (radii[species_1] + radii[species_2]));
    return 1.0 / (1.0 + a * pow(s, q) / (1.0 + pow(s, q - p)));
  }
};

/// prefactor sin(w_n x) / x times the envelope, where x is the distance or its transform.
struct BesselBasis {
  int count = 8;
  Envelope envelope;  ///< of the distance itself
  double prefactor = 1;
  const double* frequencies = nullptr;  ///< [count] Å^-1
  bool enveloped = true;                ///< false: the envelope acts elsewhere, on what is made of the basis
  AgnesiTransform transform{};

  /// With the prefactor sqrt(2/rc), which makes the functions orthonormal without envelope.
  static BesselBasis orthonormal(int count, const Envelope& envelope, const double* frequencies) {
    return {count, envelope, std::sqrt(2.0 / envelope.cutoff), frequencies};
  }

  /// The n-th function at the distance r; `scaled_envelope` is prefactor u(r) / r.
  template <class N>
  KOKKOS_INLINE_FUNCTION N value(int n, const N& r, const N& scaled_envelope) const {
    using std::sin;
    return sin(r * frequencies[n]) * scaled_envelope;
  }
  /// Its derivative by its frequency.
  template <class N>
  KOKKOS_INLINE_FUNCTION N frequency_slope(int n, const N& r, const N& scaled_envelope) const {
    using std::cos;
    return cos(r * frequencies[n]) * (r * scaled_envelope);
  }
  template <class N>
  KOKKOS_INLINE_FUNCTION N scaled_envelope(const N& r) const {
    return scaled_envelope(r, r);
  }
  /// Of the distance r and its transform x.
  template <class N>
  KOKKOS_INLINE_FUNCTION N scaled_envelope(const N& r, const N& x) const {
    return enveloped ? N(envelope(r) * prefactor / x) : N(prefactor / x);
  }
};

}  // namespace isotrope
