// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane_math.hpp"
#include "core/loops.hpp"

/// Small steps over the lanes of a row of channels that several layers share.
namespace isotrope {

/// The lane of channels from `begin` on with everything beyond the `live` ones zero: means and norms count live
/// channels only.
template <class T>
KOKKOS_INLINE_FUNCTION Lane<T> keep_live_lane(Lane<T> x, [[maybe_unused]] int begin, [[maybe_unused]] int live) {
#ifndef ISOTROPE_DEVICE_BUILD
  const Lane<T> place([](auto k) { return static_cast<T>(k); });
  stdx::where(place >= static_cast<T>(live - begin), x) = T(0);
#endif
  return x;
}
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Vec keep_live(const typename A::Vec& x, int begin, int live) {
  using T = typename A::Real;
  if (begin + lane_width<T> <= live) return x;
  if constexpr (A::dual) {
    return {keep_live_lane<T>(x.v, begin, live), keep_live_lane<T>(x.t, begin, live)};
  } else {
    return keep_live_lane<T>(x, begin, live);
  }
}

/// A number of an edge or atom in every channel of a lane.
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Vec spread(const typename A::Num& x) {
  using T = typename A::Real;
  if constexpr (A::dual) {
    return {Lane<T>(x.v), Lane<T>(x.t)};
  } else {
    return Lane<T>(x);
  }
}

/// Sum over the lanes and threads of a team.
template <class A, class Team>
KOKKOS_INLINE_FUNCTION typename A::Num team_sum(const Team& team, const typename A::Vec& x) {
  if constexpr (A::dual) {
    return {team.sum(x.v), team.sum(x.t)};
  } else {
    return team.sum(x);
  }
}

/// A weight read by kernels of any arithmetic: its tangent is zero.
template <class A>
KOKKOS_INLINE_FUNCTION Lane<typename A::Real> load_weight(const typename A::Real* p) {
  return load_lane(p);
}

/// Adds the gradient of a weight: of a dual's adjoint the tangent (docs/theory.md), of a plain one the adjoint itself.
template <class A>
KOKKOS_INLINE_FUNCTION void add_weight_gradient(typename A::Real* p, const typename A::Vec& x) {
  if constexpr (A::dual) {
    scatter_lane(p, x.t);
  } else {
    scatter_lane(p, x);
  }
}

/// Weights times duals: the tangent of a weight is zero.
template <class T>
KOKKOS_INLINE_FUNCTION Lane<T> times(const Lane<T>& w, const Lane<T>& x) {
  return w * x;
}
template <class T>
KOKKOS_INLINE_FUNCTION Dual<Lane<T>> times(const Lane<T>& w, const Dual<Lane<T>>& x) {
  return {w * x.v, w * x.t};
}
template <class T>
KOKKOS_INLINE_FUNCTION Lane<T> plus(const Lane<T>& x, const Lane<T>& w) {
  return x + w;
}
template <class T>
KOKKOS_INLINE_FUNCTION Dual<Lane<T>> plus(const Dual<Lane<T>>& x, const Lane<T>& w) {
  return {x.v + w, x.t};
}

template <class T>
void copy_numbers(long n, const T* from, T* to) {
  using Memory = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
  Kokkos::deep_copy(Kokkos::View<T*, Space, Memory>(to, n), Kokkos::View<const T*, Space, Memory>(from, n));
}
/// to += from.
template <class T>
void add_numbers(long n, const T* from, T* to);

/// Sets the values of duals [row][value, tangent][width] to x [row][width]; `width` in whole lanes.
template <class T>
void set_values(long rows, int width, const T* x, T* duals);

/// y += bias, for `rows` rows [row][pad].
template <class A>
void add_bias(long rows, int pad, const typename A::Real* bias, typename A::Real* y);
/// Gradient of that bias, added. Nothing where `weight_gradient` is null.
template <class A>
void add_bias_gradient(long rows, int pad, const typename A::Real* gy, typename A::Real* weight_gradient);

}  // namespace isotrope
