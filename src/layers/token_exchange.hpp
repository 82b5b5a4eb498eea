// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/kokkos_ext.hpp"
#include "geometry/graph.hpp"
#include "layers/halo.hpp"

namespace isotrope {

/// Doubles that a token of `width` numbers takes on its way: two floats in one double.
template <class T>
constexpr int token_exchange_width(int width) {
  return static_cast<int>((width * sizeof(T) + sizeof(double) - 1) / sizeof(double));
}

/// Rows [key][width], shown to the halo under its places: `key_of` [places] says which row that is, -1 for none.
template <class T>
class TokenExchange final : public Exchange {
 public:
  TokenExchange(const std::vector<long>& key_of, long keys, const Buffer<T>& rows, int width)
      : key_of_(key_of), width_(width), device_(Kokkos::subview(rows.view(), std::make_pair(0L, keys * width))) {
    host_ = Kokkos::create_mirror_view(device_);
    Kokkos::deep_copy(host_, device_);
  }
  ~TokenExchange() override { Kokkos::deep_copy(device_, host_); }
  TokenExchange(const TokenExchange&) = delete;
  TokenExchange& operator=(const TokenExchange&) = delete;

  int width() const override { return token_exchange_width<T>(width_); }

  void pack(std::span<const int> places, double* out) const override {
    for (const int place : places) {
      std::fill(out, out + width(), 0.0);
      if (const T* row = row_of(place)) std::memcpy(out, row, width_ * sizeof(T));
      out += width();
    }
  }
  void unpack(std::span<const int> places, const double* in) override {
    for (const int place : places) {
      if (T* row = row_of(place)) std::memcpy(row, in, width_ * sizeof(T));
      in += width();
    }
  }
  void accumulate(std::span<const int> places, const double* in) override {
    for (const int place : places) {
      const char* bytes = reinterpret_cast<const char*>(in);
      T* row = row_of(place);
      for (int c = 0; row && c < width_; ++c, bytes += sizeof(T)) {
        T value;
        std::memcpy(&value, bytes, sizeof(T));
        row[c] += value;
      }
      in += width();
    }
  }

 private:
  T* row_of(int place) const {
    const long key = key_of_[place];
    return key < 0 ? nullptr : host_.data() + key * width_;
  }

  using DeviceView = decltype(Kokkos::subview(std::declval<View<T>>(), std::make_pair(0L, 0L)));
  const std::vector<long>& key_of_;
  int width_;
  DeviceView device_;
  typename DeviceView::HostMirror host_;
};

/// Numbers of the structure. Forward: the others get those of the rank with its prefix tokens. Reverse: that rank gets
/// the sum over all.
class StructureNumbers final : public Exchange {
 public:
  StructureNumbers(const Graph& graph, std::span<double> values) : prefix_(graph.total), values_(values) {}
  int width() const override { return static_cast<int>(values_.size()); }
  void pack(std::span<const int> places, double* out) const override {
    for (const int place : places) {
      for (const double value : values_) *out++ = place == prefix_ ? value : 0;
    }
  }
  void unpack(std::span<const int> places, const double* in) override {
    for (const int place : places) {
      if (place == prefix_) std::copy_n(in, width(), values_.begin());
      in += width();
    }
  }
  void accumulate(std::span<const int> places, const double* in) override {
    for (const int place : places) {
      for (int k = 0; k < width() && place == prefix_; ++k) values_[k] += in[k];
      in += width();
    }
  }

 private:
  int prefix_;
  std::span<double> values_;
};

}  // namespace isotrope
