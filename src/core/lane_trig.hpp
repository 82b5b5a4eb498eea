// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane_math.hpp"

namespace isotrope {

template <class X>
struct SineCosine {
  X sine, cosine;
};

KOKKOS_INLINE_FUNCTION SineCosine<double> sine_cosine(double x) {
  return {std::sin(x), std::cos(x)};
}

#ifndef ISOTROPE_DEVICE_BUILD
namespace detail {
/// To the nearest whole number, of numbers below 2^51.
template <class V>
inline V nearest_whole(const V& x) {
  constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52: beyond it doubles are whole numbers
  return (x + shift) - shift;
}
}  // namespace detail

/// Of lanes of doubles: reduction by pi/2 in three parts, the first two of 33 bits, so that their products with the
/// quadrant are exact; Taylor polynomials on |r| <= pi/4, whose remainders are below 1e-17. Absolute errors are below 2
/// ulp of one (tests/test_lane.cpp). Beyond 1e5, and for what is not a number, the standard library's.
template <class Abi>
inline SineCosine<stdx::simd<double, Abi>> sine_cosine(const stdx::simd<double, Abi>& x) {
  using V = stdx::simd<double, Abi>;
  if (!stdx::all_of(stdx::abs(x) < 1e5)) {
    SineCosine<V> each;
    for (std::size_t k = 0; k < V::size(); ++k) {
      each.sine[k] = std::sin(x[k]);
      each.cosine[k] = std::cos(x[k]);
    }
    return each;
  }
  const V n = detail::nearest_whole(V(x * 0.63661977236758134308));
  const V r = ((x - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
  const V z = r * r;
  constexpr auto inverse = detail::inverse_factorials<double, 16>();
  V sine(-inverse[15]), cosine(inverse[16]);
  for (int k = 13; k >= 1; k -= 2) sine = (k % 4 == 1 ? inverse[k] : -inverse[k]) + z * sine;
  for (int k = 14; k >= 0; k -= 2) cosine = (k % 4 == 0 ? inverse[k] : -inverse[k]) + z * cosine;
  sine *= r;
  // n in whole turns and quarters 0 to 3.
  const V quarter = n - 4.0 * detail::nearest_whole(V(0.25 * n - 0.375));
  const auto odd = quarter == 1.0 || quarter == 3.0;
  const V other = sine;
  stdx::where(odd, sine) = cosine;
  stdx::where(odd, cosine) = other;
  stdx::where(quarter >= 2.0, sine) = -sine;
  stdx::where(quarter == 1.0 || quarter == 2.0, cosine) = -cosine;
  return {sine, cosine};
}
#endif

}  // namespace isotrope
