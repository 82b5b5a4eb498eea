// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

namespace isotrope {

/// Where the blocks of per-atom features lie: per block `[atom][m][value|tangent][channel]`, channels contiguous and
/// padded to the lane width with zeros. Plain data, captured by kernels.
struct Layout {
  static constexpr int max_blocks = 8;
  struct Block {
    int l = 0;
    int mul = 0;      ///< channels that carry something
    int pad = 0;      ///< channels stored
    long offset = 0;  ///< stored numbers per atom (of one row) in the blocks before this one
  };
  int count = 0;
  Block block[max_blocks];
  long width = 0;  ///< stored numbers per atom, of one row

  void add(int l, int mul, int pad) {
    block[count++] = {l, mul, pad, width};
    width += static_cast<long>(2 * l + 1) * pad;
  }
};

/// A layout with its memory for `atoms` atoms.
template <class A>
struct Features {
  typename A::Real* data = nullptr;
  long atoms = 0;
  Layout layout;

  KOKKOS_INLINE_FUNCTION typename A::Real* at(int block, long atom, int m) const {
    const Layout::Block& b = layout.block[block];
    return data + (b.offset * atoms + (atom * (2 * b.l + 1) + m) * b.pad) * A::rows;
  }
  KOKKOS_INLINE_FUNCTION typename A::Real* start(int block) const { return at(block, 0, 0); }
  std::size_t size() const { return static_cast<std::size_t>(layout.width * atoms * A::rows); }
};

template <class A>
Features<A> reserve_features(Buffer<typename A::Real>& buffer, const Layout& layout, long atoms) {
  Features<A> f{nullptr, atoms, layout};
  f.data = buffer.reserve(f.size());
  return f;
}
template <class A>
Features<A> zero_features(Buffer<typename A::Real>& buffer, const Layout& layout, long atoms) {
  Features<A> f{nullptr, atoms, layout};
  f.data = buffer.zeros(f.size());
  return f;
}

}  // namespace isotrope
