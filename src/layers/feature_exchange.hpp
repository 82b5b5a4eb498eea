// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "layers/device_graph.hpp"
#include "layers/halo.hpp"
#include "layers/layout.hpp"

namespace isotrope {

/// Doubles that one atom of a layout takes on its way: live channels only, two floats in one double.
template <class T>
int exchange_width(const Layout& layout) {
  int values = 0;
  for (int b = 0; b < layout.count; ++b) values += (2 * layout.block[b].l + 1) * layout.block[b].mul;
  return static_cast<int>((values * sizeof(T) + sizeof(double) - 1) / sizeof(double));
}

/// Features of the rows of a graph, shown to the halo under the graph's atom indices.
template <class T>
class FeatureExchange final : public Exchange {
 public:
  FeatureExchange(const DeviceGraph& graph, const Features<Plain<T>>& features)
      : graph_(graph), device_(features), host_(features), width_(exchange_width<T>(features.layout)) {
    if constexpr (device_build) {
      staging_.resize(features.size());
      Kokkos::deep_copy(view(staging_.data()), device_view());
      host_.data = staging_.data();
    }
  }
  ~FeatureExchange() override {
    if constexpr (device_build) Kokkos::deep_copy(device_view(), view(staging_.data()));
  }
  FeatureExchange(const FeatureExchange&) = delete;
  FeatureExchange& operator=(const FeatureExchange&) = delete;

  int width() const override { return width_; }

  void pack(std::span<const int> atoms, double* out) const override {
    for (const int atom : atoms) {
      char* bytes = reinterpret_cast<char*>(out);
      for_rows(atom, [&](const T* row, int mul, int) {
        std::memcpy(bytes, row, mul * sizeof(T));
        bytes += mul * sizeof(T);
      });
      // Atoms without a row (of another potential) and the half double after an odd float travel as zeros.
      std::memset(bytes, 0, reinterpret_cast<char*>(out + width_) - bytes);
      out += width_;
    }
  }

  void unpack(std::span<const int> atoms, const double* in) override {
    for (const int atom : atoms) {
      const char* bytes = reinterpret_cast<const char*>(in);
      for_rows(atom, [&](T* row, int mul, int pad) {
        std::memcpy(row, bytes, mul * sizeof(T));
        std::fill(row + mul, row + pad, T(0));  // what a ghost's row held before may be anything, NaN too
        bytes += mul * sizeof(T);
      });
      in += width_;
    }
  }

  void accumulate(std::span<const int> atoms, const double* in) override {
    for (const int atom : atoms) {
      const char* bytes = reinterpret_cast<const char*>(in);
      for_rows(atom, [&](T* row, int mul, int) {
        for (int c = 0; c < mul; ++c, bytes += sizeof(T)) {
          T value;
          std::memcpy(&value, bytes, sizeof(T));
          row[c] += value;
        }
      });
      in += width_;
    }
  }

 private:
  using HostView = Kokkos::View<T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using DeviceView = Kokkos::View<T*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  HostView view(T* data) const { return HostView(data, device_.size()); }
  DeviceView device_view() const { return DeviceView(device_.data, device_.size()); }

  template <class F>
  void for_rows(int atom, const F& f) const {
    const int row = graph_.row_of[atom];
    if (row < 0) return;
    for (int b = 0; b < host_.layout.count; ++b) {
      const auto& block = host_.layout.block[b];
      for (int m = 0; m < 2 * block.l + 1; ++m) f(host_.at(b, row, m), block.mul, block.pad);
    }
  }

  const DeviceGraph& graph_;
  Features<Plain<T>> device_, host_;
  std::vector<T> staging_;
  int width_;
};

/// Ghosts get what their owners show.
template <class T>
void forward_features(Halo& halo, const DeviceGraph& graph, const Features<Plain<T>>& shown) {
  FeatureExchange<T> exchange(graph, shown);
  halo.forward(exchange);
}
/// What was gathered on ghosts is added to their owners'.
template <class T>
void reverse_features(Halo& halo, const DeviceGraph& graph, const Features<Plain<T>>& gathered) {
  FeatureExchange<T> exchange(graph, gathered);
  halo.reverse(exchange);
}

}  // namespace isotrope
