// SPDX-License-Identifier: MIT
#pragma once
#include <array>

#include "core/lane.hpp"

/// Elementary functions of lanes. The standard library's are slow for SIMD types, so exp is our own: argument reduction
/// by ln 2 in two parts, Taylor polynomial on |r| <= ln(2)/2 (remainder below half an ulp), exponent set by integer
/// arithmetic. Errors (tests/test_lane.cpp): below 2 ulp. Beyond the range of normal numbers the result stays at the
/// range's ends (sigmoid needs no more); NaN stays NaN. All of them are inlined by force: a call costs as much as a
/// quarter of what they do, and all registers.
namespace isotrope {

KOKKOS_INLINE_FUNCTION float exp_lane(float x) {
  return std::exp(x);
}
KOKKOS_INLINE_FUNCTION double exp_lane(double x) {
  return std::exp(x);
}

#ifndef ISOTROPE_DEVICE_BUILD
namespace detail {
/// 1/0! ... 1/n!
template <class T, int n>
constexpr std::array<T, n + 1> inverse_factorials() {
  std::array<T, n + 1> out{T(1)};
  double factorial = 1;
  for (int k = 1; k <= n; ++k) out[k] = T(1 / (factorial *= k));
  return out;
}
template <class V, int Degree>
KOKKOS_FORCEINLINE_FUNCTION V exp_polynomial(const V& r) {
  using T = typename V::value_type;
  constexpr auto coefficients = inverse_factorials<T, Degree>();
  V p(coefficients[Degree]);
  for (int k = Degree - 1; k >= 0; --k) p = p * r + coefficients[k];
  return p;
}
/// Into the range where the result is a normal number; NaN stays NaN, which min and max do not promise.
template <class V>
KOKKOS_FORCEINLINE_FUNCTION void clamp(V& x, const V& low, const V& high) {
  stdx::where(x < low, x) = low;
  stdx::where(x > high, x) = high;
}
}  // namespace detail

template <class Abi>
KOKKOS_FORCEINLINE_FUNCTION stdx::simd<float, Abi> exp_lane(stdx::simd<float, Abi> x) {
  using V = stdx::simd<float, Abi>;
  detail::clamp(x, V(-87.3F), V(88.3F));
  constexpr float whole = 12582912.0F;  // 1.5 * 2^23: added, it leaves the nearest whole number in the last bits
  const V shifted = x * 1.44269504F + whole, n = shifted - whole;
  const V r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  const auto bits = __builtin_bit_cast(stdx::rebind_simd_t<std::int32_t, V>, shifted);
  const V scale = __builtin_bit_cast(V, (bits << 23) + (127 << 23));
  return detail::exp_polynomial<V, 7>(r) * scale;
}

template <class Abi>
KOKKOS_FORCEINLINE_FUNCTION stdx::simd<double, Abi> exp_lane(stdx::simd<double, Abi> x) {
  using V = stdx::simd<double, Abi>;
  detail::clamp(x, V(-708.0), V(709.0));
  constexpr double whole = 6755399441055744.0;  // 1.5 * 2^52
  const V shifted = x * 1.4426950408889634 + whole, n = shifted - whole;
  const V r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  const auto bits = __builtin_bit_cast(stdx::rebind_simd_t<std::int64_t, V>, shifted);
  const V scale = __builtin_bit_cast(V, (bits << 52) + (std::int64_t{1023} << 52));
  return detail::exp_polynomial<V, 13>(r) * scale;
}
#endif

template <class X>
KOKKOS_FORCEINLINE_FUNCTION Dual<X> exp_lane(const Dual<X>& x) {
  const X e = exp_lane(x.v);
  return {e, e * x.t};
}

template <class X>
KOKKOS_FORCEINLINE_FUNCTION X sigmoid(const X& x) {
  using T = std::conditional_t<std::is_arithmetic_v<X>, X, decltype(horizontal_sum(x))>;
  return T(1) / (T(1) + exp_lane(X(-x)));
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION Dual<X> sigmoid(const Dual<X>& x) {
  const X s = sigmoid(x.v);
  return {s, s * (decltype(horizontal_sum(s))(1) - s) * x.t};
}

/// silu(x) = x s with s = sigmoid(x), and its slope s (1 + x (1 - s)), from one exponential.
template <class X>
struct ValueAndSlope {
  X value, slope;
};
template <class X>
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<X> silu_and_slope(const X& x) {
  using T = decltype(horizontal_sum(x));
  const X s = sigmoid(x);
  return {x * s, s * (T(1) + x * (T(1) - s))};
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<Dual<X>> silu_and_slope(const Dual<X>& x) {
  using T = decltype(horizontal_sum(x.v));
  const X s = sigmoid(x.v), slope = s * (T(1) + x.v * (T(1) - s));
  const X curvature = s * (T(1) - s) * (T(2) + x.v * (T(1) - s - s));
  return {{x.v * s, slope * x.t}, {slope, curvature * x.t}};
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION X silu(const X& x) {
  return silu_and_slope(x).value;
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION X silu_slope(const X& x) {
  return silu_and_slope(x).slope;
}

}  // namespace isotrope
