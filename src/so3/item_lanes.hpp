// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "core/lane_transpose.hpp"
#include "core/loops.hpp"

/// Lanes that run over items: [item][component] is read as squares and transposed in registers. Host builds only; a
/// device has one item a thread and needs none of it.
namespace isotrope {

#ifndef ISOTROPE_DEVICE_BUILD
namespace item_lanes_detail {

/// lanes[k][item] = rows[item][k] for k < size; items beyond `valid` are zero.
template <class T>
void gather(const T* rows, long size, int valid, T* lanes) {
  constexpr int n = lane_width<T>;
  long k = 0;
  if (valid == n && size >= n) {
    while (k < size) {
      if (k + n > size) k = size - n;  // the last square overlaps the one before it
      Lane<T> square[n];
      for (int r = 0; r < n; ++r) square[r] = load_lane(rows + r * size + k);
      transpose_square<T>(square);
      for (int r = 0; r < n; ++r) store_lane(lanes + (k + r) * n, square[r]);
      k += n;
    }
    return;
  }
  for (; k < size; ++k) {
    for (int r = 0; r < n; ++r) lanes[k * n + r] = r < valid ? rows[r * size + k] : T(0);
  }
}

/// rows[item][k] = lanes[k][item], or += with `add`.
template <bool add, class T>
void scatter_rows(const T* lanes, long size, int valid, T* rows) {
  constexpr int n = lane_width<T>;
  long k = 0;
  if (valid == n && !add) {
    for (; k + n <= size; k += n) {
      Lane<T> square[n];
      for (int r = 0; r < n; ++r) square[r] = load_lane(lanes + (k + r) * n);
      transpose_square<T>(square);
      for (int r = 0; r < n; ++r) store_lane(rows + r * size + k, square[r]);
    }
  }
  for (; k < size; ++k) {
    for (int r = 0; r < valid; ++r) {
      T& target = rows[r * size + k];
      target = add ? target + lanes[k * n + r] : lanes[k * n + r];
    }
  }
}

}  // namespace item_lanes_detail

/// Runs a ProductKernel of one channel with a lane of items at a time: the same kernel on a small copy in which these
/// items are the channels of one item.
template <class Kernel>
struct ItemLanes {
  using T = typename Kernel::T;
  using A = typename Kernel::Arithmetic;
  static constexpr int lanes_per_chunk = 64;
  Kernel kernel;

  struct Scratch {
    explicit Scratch(long size) : memory(new T[size + 64]) {}
    T* take(long size) {
      T* p = memory.get() + used;
      used += size;
      return p;
    }
    std::unique_ptr<T[]> memory;
    long used = 0;
  };

  void operator()(long chunk) const {
    const auto& in = kernel.in;
    constexpr int n = lane_width<T>;
    const long x_size = kernel.first.size * A::rows, y_size = kernel.second.size * A::rows;
    const long z_size = kernel.out.size * A::rows, w_size = in.item_weights ? kernel.weights * A::rows : 0;
    Scratch scratch((2 * (x_size + y_size + w_size) + z_size) * n);
    Kernel one = kernel;
    one.in.items = 1;
    one.in.channels = n;
    T* const x = scratch.take(x_size * n);
    T* const y = scratch.take(y_size * n);
    T* const z = scratch.take(z_size * n);
    T* const w = scratch.take(w_size * n);
    T* const g_x = scratch.take(x_size * n);
    T* const g_y = scratch.take(y_size * n);
    T* const g_w = scratch.take(w_size * n);
    one.in.x = x;
    one.in.y = y;
    one.in.one_channel_y = false;
    one.g.z = z;
    if (in.item_weights && in.weights) one.in.weights = w;
    one.lanes_are_items = true;
    if (kernel.g.x) one.g.x = g_x;
    if (kernel.g.y) one.g.y = g_y;
    if (kernel.g.weights && in.item_weights) one.g.weights = g_w;
    const long last = std::min((chunk + 1) * lanes_per_chunk * n, in.items);
    for (long item = chunk * lanes_per_chunk * n; item < last; item += n) {
      using namespace item_lanes_detail;
      const int valid = static_cast<int>(std::min<long>(n, last - item));
      gather(in.x + item * x_size, x_size, valid, x);
      gather(in.y + item * y_size, y_size, valid, y);
      if (w_size > 0 && in.weights) gather(in.weights + item * w_size, w_size, valid, w);
      if (!kernel.reverse) {
        one(0, 0);
        scatter_rows<false>(z, z_size, valid, const_cast<T*>(kernel.g.z) + item * z_size);
        continue;
      }
      gather(kernel.g.z + item * z_size, z_size, valid, z);
      std::fill(g_x, g_x + (x_size + y_size + w_size) * n, T(0));
      one(0, 0);
      if (kernel.g.x) scatter_rows<true>(g_x, x_size, valid, kernel.g.x + item * x_size);
      if (kernel.g.y) scatter_rows<true>(g_y, y_size, valid, kernel.g.y + item * y_size);
      if (w_size > 0 && kernel.g.weights) scatter_rows<true>(g_w, w_size, valid, kernel.g.weights + item * w_size);
    }
  }
};

template <class Kernel>
void for_item_lanes(const Kernel& kernel) {
  constexpr long per_chunk = ItemLanes<Kernel>::lanes_per_chunk * lane_width<typename Kernel::T>;
  for_each("isotrope::product::item_lanes", (kernel.in.items + per_chunk - 1) / per_chunk, ItemLanes<Kernel>{kernel});
}
#else
template <class Kernel>
void for_item_lanes(const Kernel&) {}
#endif

}  // namespace isotrope
