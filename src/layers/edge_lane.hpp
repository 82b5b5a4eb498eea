// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

namespace isotrope {

/// The edges that pass through a kernel together, as many as a lane of T has numbers; of the last ones n are left.
template <class T>
struct EdgeLane {
  static constexpr int w = lane_width<T>;
  static constexpr long count(long edges) { return (edges + w - 1) / w; }
  long first;
  int n;
  KOKKOS_INLINE_FUNCTION EdgeLane(long lane, long edges)
      : first(lane * w), n(static_cast<int>(edges - first < w ? edges - first : w)) {}
};

}  // namespace isotrope
