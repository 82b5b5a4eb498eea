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

/// The same pointer, as if it led elsewhere: numbers are read again where they are, which GCC would rather keep, on the
/// stack where registers are short.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION const T* read_again(const T* p) {
#if !defined(ISOTROPE_DEVICE_BUILD) && defined(__x86_64__)
  asm("" : "+r"(p));
#endif
  return p;
}

/// Numbers of a cache line.
template <class T>
inline constexpr int cache_line = 64 / sizeof(T);

/// Whether a cache line begins at channel c.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION bool line_begins(int c) {
  return c % cache_line<T> == 0;
}
/// Starts to load what the next edge reads at the same channels: senders, radial rows and kept values lie anywhere in
/// memory, in rows too short for the processor to foresee them.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION void fetch_ahead([[maybe_unused]] const T* p) {
#ifndef ISOTROPE_DEVICE_BUILD
  __builtin_prefetch(p);
#endif
}

}  // namespace isotrope
