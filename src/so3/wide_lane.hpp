// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

/// Several lanes that a kernel takes at once, so that its loops over groups of coefficients, short and of all lengths,
/// are run through less often. Host builds only.
#ifndef ISOTROPE_DEVICE_BUILD
namespace isotrope {

template <class X>
struct LanePair {
  X a, b;
  LanePair() = default;
  LanePair(const X& first, const X& second) : a(first), b(second) {}
  template <class S>
  requires std::is_arithmetic_v<S>
  explicit LanePair(S s) : a(s), b(s) {}
};
template <class X>
inline LanePair<X> operator+(const LanePair<X>& p, const LanePair<X>& q) {
  return {p.a + q.a, p.b + q.b};
}
template <class X>
inline LanePair<X> operator-(const LanePair<X>& p, const LanePair<X>& q) {
  return {p.a - q.a, p.b - q.b};
}
template <class X>
inline LanePair<X> operator*(const LanePair<X>& p, const LanePair<X>& q) {
  return {p.a * q.a, p.b * q.b};
}
template <class X>
inline LanePair<X> operator-(const LanePair<X>& p) {
  return {-p.a, -p.b};
}
template <class X>
inline LanePair<X>& operator+=(LanePair<X>& p, const LanePair<X>& q) {
  p.a += q.a;
  p.b += q.b;
  return p;
}
/// By a number or by a lane.
template <class X, class S>
inline LanePair<X> operator*(const S& s, const LanePair<X>& p) {
  return {s * p.a, s * p.b};
}

/// As Plain, over four lanes that follow each other in memory.
template <class T>
struct Wide {
  using Real = T;
  using Num = T;
  using Vec = LanePair<LanePair<Lane<T>>>;
  static constexpr int rows = 1;
  static constexpr bool dual = false;
  static Vec load(const T* p, int) {
    constexpr int n = lane_width<T>;
    return {{load_lane(p), load_lane(p + n)}, {load_lane(p + 2 * n), load_lane(p + 3 * n)}};
  }
  static void store(T* p, int, const Vec& x) {
    constexpr int n = lane_width<T>;
    store_lane(p, x.a.a);
    store_lane(p + n, x.a.b);
    store_lane(p + 2 * n, x.b.a);
    store_lane(p + 3 * n, x.b.b);
  }
  static Vec zero() { return Vec(T(0)); }
};

}  // namespace isotrope
#endif
