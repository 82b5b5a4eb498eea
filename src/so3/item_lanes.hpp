// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <memory>

#include "core/lane_transpose.hpp"
#include "core/loops.hpp"
#include "so3/wide_lane.hpp"

/// Lanes that run over items: [item][component] is read as squares and transposed in registers. Host builds only; a
/// device has one item a thread and needs none of it.
namespace isotrope {

#ifndef ISOTROPE_DEVICE_BUILD
namespace item_lanes_detail {

/// lanes[k][item] = rows[item][k] for k < size, a lane every `stride` numbers; items beyond `valid` are zero.
/// `readable` rows may be touched.
template <class T>
void gather(const T* rows, long size, int valid, long readable, int stride, T* lanes) {
  constexpr int n = lane_width<T>;
  const bool overlaps = size < n && readable * size >= (n - 1) * size + n;  // into the rows that follow
  long k = 0;
  if (valid == n && (size >= n || overlaps)) {
    while (k < size) {
      if (k + n > size && size >= n) k = size - n;  // the last square overlaps the one before it
      Lane<T> square[n];
      for (int r = 0; r < n; ++r) square[r] = load_lane(rows + r * size + k);
      transpose_square<T>(square);
      for (int r = 0; r < std::min<long>(n, size); ++r) store_lane(lanes + (k + r) * stride, square[r]);
      k += n;
    }
    return;
  }
  for (; k < size; ++k) {
    for (int r = 0; r < n; ++r) lanes[k * stride + r] = r < valid ? rows[r * size + k] : T(0);
  }
}

/// rows[item][k] = lanes[k][item], or += with `add`.
template <bool add, class T>
void scatter_rows(const T* lanes, long size, int valid, int stride, T* rows) {
  constexpr int n = lane_width<T>;
  long k = 0;
  if (valid == n && !add) {
    while (k < size) {
      if (k + n > size && size >= n) k = size - n;
      Lane<T> square[n];
      for (int r = 0; r < n; ++r) square[r] = r < size ? load_lane(lanes + (k + r) * stride) : Lane<T>(T(0));
      transpose_square<T>(square);
      // A short row is written with what is wrong beyond its end, and put right by the row that follows.
      int r = 0;
      for (; r < n && r * size + k + n <= n * size; ++r) store_lane(rows + r * size + k, square[r]);
      for (; r < n; ++r) {
        for (long j = 0; j < size; ++j) rows[r * size + j] = square[r][j];
      }
      k += n;
    }
    return;
  }
  for (; k < size; ++k) {
    for (int r = 0; r < valid; ++r) {
      T& target = rows[r * size + k];
      target = add ? target + lanes[k * stride + r] : lanes[k * stride + r];
    }
  }
}

}  // namespace item_lanes_detail

/// Runs a ProductKernel of one channel with the lanes of its arithmetic over items: the same kernel on a small copy in
/// which these items are the channels of one item.
template <class Kernel>
struct ItemLanes {
  using T = typename Kernel::T;
  using A = typename Kernel::Arithmetic;
  static constexpr int width = lane_width<T>;
  static constexpr int lanes = static_cast<int>(sizeof(typename A::Vec) / sizeof(Lane<T>)) / A::rows;
  static constexpr int n = lanes * width;  ///< items at once
  static constexpr int items_per_chunk = 64 * width;
  Kernel kernel;
  long begin, end;

  long chunks() const { return (end - begin + items_per_chunk - 1) / items_per_chunk; }

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

  static int valid(long items, int lane) {
    return static_cast<int>(std::clamp<long>(items - static_cast<long>(lane) * width, 0, width));
  }
  void gather(const T* rows, long size, long item, long last, T* lane) const {
    for (int k = 0; k < lanes; ++k) {
      const long first = item + k * width;
      item_lanes_detail::gather(rows + first * size, size, valid(last - item, k), kernel.in.items - first, n,
                                lane + k * width);
    }
  }
  template <bool add>
  void scatter(const T* lane, long size, long item, long last, T* rows) const {
    for (int k = 0; k < lanes; ++k)
      item_lanes_detail::scatter_rows<add>(lane + k * width, size, valid(last - item, k), n,
                                           rows + (item + k * width) * size);
  }

  void operator()(long chunk) const {
    const auto& in = kernel.in;
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
    const long last = std::min(begin + (chunk + 1) * items_per_chunk, end);
    for (long item = begin + chunk * items_per_chunk; item < last; item += n) {
      gather(in.x, x_size, item, last, x);
      gather(in.y, y_size, item, last, y);
      if (w_size > 0 && in.weights) gather(in.weights, w_size, item, last, w);
      if (!kernel.reverse) {
        one.forward(0, 0);
        scatter<false>(z, z_size, item, last, const_cast<T*>(kernel.g.z));
        continue;
      }
      if constexpr (lanes == 1) {
        gather(kernel.g.z, z_size, item, last, z);
        std::fill(g_x, g_x + (x_size + y_size + w_size) * n, T(0));
        one(0, 0);
        if (kernel.g.x) scatter<true>(g_x, x_size, item, last, kernel.g.x);
        if (kernel.g.y) scatter<true>(g_y, y_size, item, last, kernel.g.y);
        if (w_size > 0 && kernel.g.weights) scatter<true>(g_w, w_size, item, last, kernel.g.weights);
      }
    }
  }
};

template <class Kernel>
void run_item_lanes(const Kernel& kernel, long begin, long end) {
  const ItemLanes<Kernel> loop{kernel, begin, end};
  for_each("isotrope::product::item_lanes", loop.chunks(), loop);
}

/// Forward, several lanes at once as far as they are full.
template <class Kernel>
void for_item_lanes(const Kernel& kernel) {
  long wide_end = 0;
  if constexpr (!Kernel::Arithmetic::dual) {
    if (!kernel.reverse) {
      const auto wide = kernel.template over<Wide<typename Kernel::T>>();
      wide_end = kernel.in.items - kernel.in.items % ItemLanes<std::decay_t<decltype(wide)>>::n;
      run_item_lanes(wide, 0, wide_end);
    }
  }
  run_item_lanes(kernel, wide_end, kernel.in.items);
}
#else
template <class Kernel>
void for_item_lanes(const Kernel&) {}
#endif

}  // namespace isotrope
