// SPDX-License-Identifier: MIT
#pragma once
#include "layers/channels.hpp"
#include "layers/device_graph.hpp"
#include "layers/layout.hpp"

namespace isotrope {

/// f(rows of ghosts, their place in an array of ghosts alone, numbers) for each block of features of senders.
template <class A, class F>
void for_ghost_rows(const DeviceGraph& graph, const Features<A>& shown, typename A::Real* ghosts, const F& f) {
  const long count = graph.senders - graph.rows;
  for (int b = 0; b < shown.layout.count && count > 0; ++b) {
    const long numbers = count * (2 * shown.layout.block[b].l + 1) * shown.layout.block[b].pad * A::rows;
    f(shown.at(b, graph.rows, 0), ghosts, numbers);
    ghosts += numbers;
  }
}

/// Keeps what ghosts showed, so that the way back need not ask their owners again.
template <class A>
void keep_ghosts(const DeviceGraph& graph, const Features<A>& shown, Buffer<typename A::Real>& kept) {
  const long ghosts = graph.senders - graph.rows;
  for_ghost_rows(
      graph, shown, kept.reserve(shown.layout.width * ghosts * A::rows),
      [](typename A::Real* row, typename A::Real* ghost, long numbers) { copy_numbers(numbers, row, ghost); });
}

template <class A>
void show_kept_ghosts(const DeviceGraph& graph, const Buffer<typename A::Real>& kept, const Features<A>& shown) {
  for_ghost_rows(graph, shown, kept.data(), [](typename A::Real* row, typename A::Real* ghost, long numbers) {
    copy_numbers(numbers, ghost, row);
  });
}

}  // namespace isotrope
