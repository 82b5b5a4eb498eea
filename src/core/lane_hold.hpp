// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

namespace isotrope {

/// Vector registers of a core: with AVX-512 as many as it has, else as many as the oldest processors with lanes.
template <class T>
inline constexpr int vector_registers = lane_width<T> * sizeof(T) >= 64 ? 32 : 16;

/// A number that was read and is used more than once, kept in a register: GCC reads it again for every use, and loads
/// are what kernels with one product for each of them wait for.
template <class Vec>
KOKKOS_FORCEINLINE_FUNCTION Vec hold(Vec x) {
#if !defined(ISOTROPE_DEVICE_BUILD) && defined(__x86_64__)
  asm("" : "+v"(x));
#endif
  return x;
}
template <class X>
KOKKOS_FORCEINLINE_FUNCTION Dual<X> hold(const Dual<X>& x) {
  return {hold(x.v), hold(x.t)};
}

}  // namespace isotrope
