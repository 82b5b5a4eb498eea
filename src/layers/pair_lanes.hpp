// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <type_traits>

#include "core/lane.hpp"

/// Lanes of the pairs of channels that the rotary embedding turns (layers/rotary.hpp), of 256 bits at most. Half a head
/// is a whole number of them: 24 channels, half a head of 48, would be padded to 32 in lanes of 512 bits, and every
/// product with heads would pay for it.
namespace isotrope {

template <class T>
inline constexpr int pair_width = std::min(lane_width<T>, std::max(1, 32 / static_cast<int>(sizeof(T))));
template <class T>
constexpr int padded_pairs(int pairs) {
  return (pairs + pair_width<T> - 1) / pair_width<T> * pair_width<T>;
}

#ifndef ISOTROPE_DEVICE_BUILD
template <class T>
using PairLane = stdx::simd<T, stdx::simd_abi::deduce_t<T, pair_width<T>>>;
template <class T>
inline PairLane<T> load_pairs(const T* p) {
  return PairLane<T>(p, stdx::element_aligned);
}
template <class T>
inline void store_pairs(T* p, const PairLane<T>& x) {
  x.copy_to(p, stdx::element_aligned);
}
#else
template <class T>
using PairLane = Lane<T>;
template <class T>
KOKKOS_INLINE_FUNCTION PairLane<T> load_pairs(const T* p) {
  return load_lane(p);
}
template <class T>
KOKKOS_INLINE_FUNCTION void store_pairs(T* p, const PairLane<T>& x) {
  store_lane(p, x);
}
#endif

/// An arithmetic type of core/lane.hpp over lanes of pairs.
template <class A>
struct Pairs {
  using Real = typename A::Real;
  using Num = typename A::Num;
  using Part = PairLane<Real>;
  using Vec = std::conditional_t<A::dual, Dual<Part>, Part>;
  static constexpr int rows = A::rows;
  static constexpr bool dual = A::dual;

  KOKKOS_INLINE_FUNCTION static Vec load(const Real* p, int stride) {
    if constexpr (dual) {
      return {load_pairs<Real>(p), load_pairs<Real>(p + stride)};
    } else {
      return load_pairs<Real>(p);
    }
  }
  KOKKOS_INLINE_FUNCTION static void store(Real* p, int stride, const Vec& x) {
    if constexpr (dual) {
      store_pairs<Real>(p, x.v);
      store_pairs<Real>(p + stride, x.t);
    } else {
      store_pairs<Real>(p, x);
    }
  }
  KOKKOS_INLINE_FUNCTION static Vec spread(const Num& x) {
    if constexpr (dual) {
      return {Part(x.v), Part(x.t)};
    } else {
      return Part(x);
    }
  }
  KOKKOS_INLINE_FUNCTION static Vec zero() { return spread(Num{}); }
  /// Added to rows that other threads may add to as well.
  KOKKOS_INLINE_FUNCTION static void scatter(Real* p, int stride, const Vec& x) {
    if constexpr (dual) {
      scatter_part(p, x.v);
      scatter_part(p + stride, x.t);
    } else {
      scatter_part(p, x);
    }
  }

 private:
  KOKKOS_INLINE_FUNCTION static void scatter_part(Real* p, const Part& x) {
    if constexpr (std::is_same_v<Part, Lane<Real>>) {
      scatter_lane<Real>(p, x);
    } else if constexpr (serial_space) {
      store_pairs<Real>(p, Part(load_pairs<Real>(p) + x));
    } else {
      for (int k = 0; k < pair_width<Real>; ++k) Kokkos::atomic_add(p + k, static_cast<Real>(x[k]));
    }
  }
};

}  // namespace isotrope
