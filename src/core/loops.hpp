// SPDX-License-Identifier: MIT
#pragma once
#include "core/kokkos_ext.hpp"
#include "core/lane.hpp"
#include "core/lane_sums.hpp"

/// How loops over edges, atoms and channels map onto an execution space.
namespace isotrope {

/// Devices count in 32 bits unless told otherwise: too few for edges x channels.
using Range = Kokkos::RangePolicy<Space, Kokkos::IndexType<long>>;

/// f(i) for 0 <= i < n.
template <class F>
void for_each(const char* label, long n, const F& f) {
  Kokkos::parallel_for(label, Range(0, n), f);
}

/// f(item, block) for every item and every block of channels (one lane each). Blocks of one item run on the same thread
/// of a host, on neighbouring threads of a device.
template <class F>
struct ChannelLoop {
  int blocks;
  F f;
  KOKKOS_INLINE_FUNCTION void operator()(long i) const {
    if constexpr (device_build) {
      f(static_cast<int>(i / blocks), static_cast<int>(i % blocks));
    } else {
      for (int b = 0; b < blocks; ++b) f(static_cast<int>(i), b);
    }
  }
};
template <class F>
void for_channels(const char* label, int items, int blocks, const F& f) {
  const long n = device_build ? static_cast<long>(items) * blocks : items;
  Kokkos::parallel_for(label, Range(0, n), ChannelLoop<F>{blocks, f});
}

/// The threads that share the channels of one item. `sum` adds over lanes and threads; `once` lets one thread write. A
/// thread's blocks of channels: f(b) for each, or a loop from first_block() in steps of block_step().
#ifdef ISOTROPE_DEVICE_BUILD
struct ChannelTeam {
  using Member = Kokkos::TeamPolicy<Space>::member_type;
  const Member& member;
  template <class F>
  KOKKOS_INLINE_FUNCTION void for_blocks(int blocks, const F& f) const {
    for (int b = first_block(); b < blocks; b += block_step()) f(b);
  }
  KOKKOS_INLINE_FUNCTION int first_block() const { return member.team_rank(); }
  KOKKOS_INLINE_FUNCTION int block_step() const { return member.team_size(); }
  template <class T>
  KOKKOS_INLINE_FUNCTION T sum(T value) const {
    member.team_reduce(Kokkos::Sum<T>(value));
    return value;
  }
  /// target[k] = the sum of x[k] over all channels, k < N.
  template <int N, class T>
  KOKKOS_INLINE_FUNCTION void store_sums(const T* x, T* target) const {
    for (int k = 0; k < N; ++k) {
      const T total = sum(x[k]);
      if (member.team_rank() == 0) target[k] = total;
    }
  }
  template <class F>
  KOKKOS_INLINE_FUNCTION void once(const F& f) const {
    if (member.team_rank() == 0) f();
  }
};
template <class F>
struct TeamLoop {
  F f;
  KOKKOS_INLINE_FUNCTION void operator()(const ChannelTeam::Member& member) const {
    f(ChannelTeam{member}, static_cast<int>(member.league_rank()));
  }
};
template <class F>
void for_teams(const char* label, int items, const F& f) {
  if (items > 0) Kokkos::parallel_for(label, Kokkos::TeamPolicy<Space>(items, 32), TeamLoop<F>{f});
}
#else
struct ChannelTeam {
  template <class F>
  void for_blocks(int blocks, const F& f) const {
    for (int b = 0; b < blocks; ++b) f(b);
  }
  static constexpr int first_block() { return 0; }
  static constexpr int block_step() { return 1; }
  template <class V>
  auto sum(const V& value) const {
    return horizontal_sum(value);
  }
  template <int N, class T>
  KOKKOS_FORCEINLINE_FUNCTION void store_sums(const Lane<T>* x, T* target) const {
    isotrope::store_sums<N, T>(x, target);
  }
  template <class F>
  void once(const F& f) const {
    f();
  }
};
template <class F>
struct TeamLoop {
  F f;
  void operator()(long i) const { f(ChannelTeam{}, static_cast<int>(i)); }
};
template <class F>
void for_teams(const char* label, int items, const F& f) {
  Kokkos::parallel_for(label, Range(0, items), TeamLoop<F>{f});
}
#endif

}  // namespace isotrope
