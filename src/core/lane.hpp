// SPDX-License-Identifier: MIT
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/kokkos_ext.hpp"
#ifndef ISOTROPE_DEVICE_BUILD
#include <experimental/simd>
#endif

/// Arithmetic types. Kernels run over lanes of channels: a SIMD register in a host build, a scalar in a build with a
/// device backend (whose threads are the lanes). Training runs the same kernels over duals, numbers with a tangent.
namespace isotrope {

#ifndef ISOTROPE_DEVICE_BUILD
namespace stdx = std::experimental;
template <class T>
using Lane = stdx::native_simd<T>;
template <class T>
inline constexpr int lane_width = static_cast<int>(Lane<T>::size());

template <class T>
inline Lane<T> load_lane(const T* p) {
  return Lane<T>(p, stdx::element_aligned);
}
template <class T>
inline void store_lane(T* p, const Lane<T>& x) {
  x.copy_to(p, stdx::element_aligned);
}
/// A lane of f(0), f(1), ..., put together in registers.
template <class T, class F>
inline Lane<T> lane_of(const F& f) {
  return Lane<T>([&](auto p) { return static_cast<T>(f(static_cast<int>(p))); });
}
template <class T, class Abi>
inline T horizontal_sum(const stdx::simd<T, Abi>& x) {
  return stdx::reduce(x);
}
template <class T, class Abi>
inline T horizontal_max(const stdx::simd<T, Abi>& x) {
  return stdx::hmax(x);
}
template <class T, class Abi>
inline stdx::simd<T, Abi> max_lane(stdx::simd<T, Abi> a, const stdx::simd<T, Abi>& b) {
  stdx::where(b > a, a) = b;
  return a;
}
#else
template <class T>
using Lane = T;
template <class T>
inline constexpr int lane_width = 1;
template <class T>
KOKKOS_INLINE_FUNCTION T load_lane(const T* p) {
  return *p;
}
template <class T>
KOKKOS_INLINE_FUNCTION void store_lane(T* p, const T& x) {
  *p = x;
}
template <class T, class F>
KOKKOS_INLINE_FUNCTION T lane_of(const F& f) {
  return static_cast<T>(f(0));
}
#endif
template <class T>
requires std::is_arithmetic_v<T> KOKKOS_INLINE_FUNCTION T horizontal_max(T x) {
  return x;
}
template <class T>
requires std::is_arithmetic_v<T> KOKKOS_INLINE_FUNCTION T max_lane(T a, T b) {
  return b > a ? b : a;
}
KOKKOS_INLINE_FUNCTION float horizontal_sum(float x) {
  return x;
}
KOKKOS_INLINE_FUNCTION double horizontal_sum(double x) {
  return x;
}

template <class T>
constexpr int padded(int channels) {
  return (channels + lane_width<T> - 1) / lane_width<T> * lane_width<T>;
}

/// v + eps t with eps^2 = 0: the tangent rides along (DESIGN: forward over reverse). Inlined by force: GCC, which
/// counts how much a file grows, leaves a file of kernels with calls for its last products.
template <class X>
struct Dual {
  X v, t;
};

template <class X, class Y>
KOKKOS_FORCEINLINE_FUNCTION auto operator+(const Dual<X>& a, const Dual<Y>& b) {
  return Dual<decltype(a.v + b.v)>{a.v + b.v, a.t + b.t};
}
template <class X, class Y>
KOKKOS_FORCEINLINE_FUNCTION auto operator-(const Dual<X>& a, const Dual<Y>& b) {
  return Dual<decltype(a.v - b.v)>{a.v - b.v, a.t - b.t};
}
template <class X, class Y>
KOKKOS_FORCEINLINE_FUNCTION auto operator*(const Dual<X>& a, const Dual<Y>& b) {
  return Dual<decltype(a.v * b.v)>{a.v * b.v, a.v * b.t + a.t * b.v};
}
template <class X, class Y>
KOKKOS_FORCEINLINE_FUNCTION auto operator/(const Dual<X>& a, const Dual<Y>& b) {
  const auto q = a.v / b.v;
  return Dual<decltype(a.v / b.v)>{q, (a.t - q * b.t) / b.v};
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION Dual<X> operator-(const Dual<X>& a) {
  return {-a.v, -a.t};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator*(const Dual<X>& a, S s) {
  return {a.v * X(s), a.t * X(s)};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator*(S s, const Dual<X>& a) {
  return {X(s) * a.v, X(s) * a.t};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator/(const Dual<X>& a, S s) {
  return {a.v / X(s), a.t / X(s)};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator/(S s, const Dual<X>& a) {
  const X q = X(s) / a.v;
  return {q, -q * a.t / a.v};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator+(const Dual<X>& a, S s) {
  return {a.v + X(s), a.t};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator+(S s, const Dual<X>& a) {
  return {X(s) + a.v, a.t};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator-(const Dual<X>& a, S s) {
  return {a.v - X(s), a.t};
}
template <class X, class S>
requires std::is_arithmetic_v<S> KOKKOS_FORCEINLINE_FUNCTION Dual<X>
operator-(S s, const Dual<X>& a) {
  return {X(s) - a.v, -a.t};
}
template <class X, class Y>
KOKKOS_FORCEINLINE_FUNCTION Dual<X>& operator+=(Dual<X>& a, const Dual<Y>& b) {
  a.v += b.v;
  a.t += b.t;
  return a;
}
template <class X>
KOKKOS_INLINE_FUNCTION auto horizontal_sum(const Dual<X>& a) {
  return Dual<decltype(horizontal_sum(a.v))>{horizontal_sum(a.v), horizontal_sum(a.t)};
}
template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> sqrt(const Dual<X>& a) {
  using std::sqrt;
  const X s = sqrt(a.v);
  return {s, a.t / (s + s)};
}
template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> exp(const Dual<X>& a) {
  using std::exp;
  const X e = exp(a.v);
  return {e, e * a.t};
}
template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> tanh(const Dual<X>& a) {
  using std::tanh;
  const X y = tanh(a.v);
  return {y, (X(1) - y * y) * a.t};
}
template <class X>
KOKKOS_INLINE_FUNCTION Dual<X> sin(const Dual<X>& a) {
  using std::cos;
  using std::sin;
  return {sin(a.v), cos(a.v) * a.t};
}

/// What a kernel template is instantiated for: the stored number, the number of an edge or atom, the lane of channels,
/// and how many rows an array keeps per lane (a dual's tangent row follows its value row, so lanes stay contiguous and
/// a linear layer is the same GEMM with twice the rows).
template <class T>
struct Plain {
  using Real = T;
  using Num = T;
  using Vec = Lane<T>;
  static constexpr int rows = 1;
  static constexpr bool dual = false;
  KOKKOS_INLINE_FUNCTION static Vec load(const T* p, int) { return load_lane(p); }
  KOKKOS_INLINE_FUNCTION static void store(T* p, int, const Vec& x) { store_lane(p, x); }
  KOKKOS_INLINE_FUNCTION static Vec zero() { return Vec(T(0)); }
};
template <class T>
struct WithTangent {
  using Real = T;
  using Num = Dual<T>;
  using Vec = Dual<Lane<T>>;
  static constexpr int rows = 2;
  static constexpr bool dual = true;
  KOKKOS_INLINE_FUNCTION static Vec load(const T* p, int stride) { return {load_lane(p), load_lane(p + stride)}; }
  KOKKOS_INLINE_FUNCTION static void store(T* p, int stride, const Vec& x) {
    store_lane(p, x.v);
    store_lane(p + stride, x.t);
  }
  KOKKOS_INLINE_FUNCTION static Vec zero() { return {Lane<T>(T(0)), Lane<T>(T(0))}; }
};

template <class A>
KOKKOS_INLINE_FUNCTION void add_to(typename A::Real* p, int stride, const typename A::Vec& x) {
  A::store(p, stride, A::load(p, stride) + x);
}
/// add_to for rows that other threads may add to as well.
template <class T>
KOKKOS_INLINE_FUNCTION void scatter_lane(T* p, const Lane<T>& x) {
  if constexpr (serial_space) {
    store_lane(p, Lane<T>(load_lane(p) + x));
  } else {
#ifdef ISOTROPE_DEVICE_BUILD
    Kokkos::atomic_add(p, x);
#else
    for (int k = 0; k < lane_width<T>; ++k) Kokkos::atomic_add(p + k, static_cast<T>(x[k]));
#endif
  }
}
template <class A>
KOKKOS_INLINE_FUNCTION void scatter(typename A::Real* p, int stride, const typename A::Vec& x) {
  if constexpr (A::dual) {
    scatter_lane(p, x.v);
    scatter_lane(p + stride, x.t);
  } else {
    scatter_lane(p, x);
  }
}

/// Broadcast of a number of an edge or atom, in the precision of the network.
template <class T>
KOKKOS_INLINE_FUNCTION T cast_num(double x, T*) {
  return static_cast<T>(x);
}
template <class T>
KOKKOS_INLINE_FUNCTION Dual<T> cast_num(const Dual<double>& x, Dual<T>*) {
  return {static_cast<T>(x.v), static_cast<T>(x.t)};
}
KOKKOS_INLINE_FUNCTION double value_of(double x) {
  return x;
}
KOKKOS_INLINE_FUNCTION double value_of(const Dual<double>& x) {
  return x.v;
}

}  // namespace isotrope
