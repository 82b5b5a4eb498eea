// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"
#include "core/loops.hpp"
#include "layers/radial_table.hpp"

namespace isotrope {

/// Where radial weights come from. A group is a number of edges of one receiver that are summed together: all of them
/// where weights are stored.
template <class A>
struct StoredRadial {
  static constexpr bool few_at_a_time = false;
  using T = typename A::Real;
  using Vec = typename A::Vec;
  T* weights;
  int width;
  long edge_begin;

  struct Edge {
    T* row;
    int width;
    struct Gradient {};
    KOKKOS_FORCEINLINE_FUNCTION Vec value(int at) const { return A::load(row + at, width); }
    KOKKOS_FORCEINLINE_FUNCTION void add_gradient(Gradient&, int at, const Vec& g) const {
      A::store(row + at, width, g);
    }
    KOKKOS_FORCEINLINE_FUNCTION void include(const Gradient&) {}
    KOKKOS_INLINE_FUNCTION void finish(const ChannelTeam&) const {}
  };
  KOKKOS_FORCEINLINE_FUNCTION Edge edge(long e) const { return {weights + (e - edge_begin) * width * A::rows, width}; }

  struct Group {
    const StoredRadial* radial;
    long begin;
    KOKKOS_INLINE_FUNCTION Edge operator[](long k) const { return radial->edge(begin + k); }
  };
  KOKKOS_INLINE_FUNCTION long group_size(long rest) const { return rest; }
  KOKKOS_INLINE_FUNCTION Group group(long begin, long) const { return {this, begin}; }
};

/// Weights of a table: few edges at a time, since each has its place there.
template <class T>
struct TabulatedRadial {
  static constexpr bool few_at_a_time = true;
  static constexpr long most = 16;
  TableView<T> table;
  const double* r;
  double* g_length;
  long edge_begin;

  struct Edge {
    typename TableView<T>::Place place;
    double* g_length;
    Lane<T> g{T(0)};  ///< dE/d|r| by a lane of channels
    using Gradient = typename TableView<T>::Place::Gradient;
    KOKKOS_FORCEINLINE_FUNCTION Lane<T> value(int at) const { return place.value(at); }
    KOKKOS_FORCEINLINE_FUNCTION void add_gradient(Gradient& of_path, int at, const Lane<T>& g_r) const {
      place.add_gradient(of_path, at, g_r);
    }
    KOKKOS_FORCEINLINE_FUNCTION void include(const Gradient& of_path) { g += place.by_distance(of_path); }
    KOKKOS_INLINE_FUNCTION void finish(const ChannelTeam& team) const {
      const T total = team.sum(g);
      team.once([&] { *g_length += static_cast<double>(total); });
    }
  };
  KOKKOS_FORCEINLINE_FUNCTION Edge edge(long e) const { return {table.place(r + 3 * e), g_length + (e - edge_begin)}; }

  struct Group {
    typename TableView<T>::Place places[most];
    KOKKOS_INLINE_FUNCTION const typename TableView<T>::Place& operator[](long k) const { return places[k]; }
  };
  /// Groups of about the same size.
  KOKKOS_INLINE_FUNCTION long group_size(long rest) const {
    const long groups = (rest + most - 1) / most;
    return groups > 1 ? (rest + groups - 1) / groups : rest;
  }
  KOKKOS_INLINE_FUNCTION Group group(long begin, long n) const {
    Group group;
    for (long k = 0; k < n; ++k) group.places[k] = table.place(r + 3 * (begin + k));
    return group;
  }
};

}  // namespace isotrope
