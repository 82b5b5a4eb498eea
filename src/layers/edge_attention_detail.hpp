// SPDX-License-Identifier: MIT
#pragma once
#include "layers/channels.hpp"
#include "layers/edge_attention.hpp"

/// What the kernels of edge_attention share.
namespace isotrope::attention {

template <int D>
using Components = std::integral_constant<int, D>;

/// Calls f with compile-time constants: the numbers of components of features and of messages, and the range of
/// components that are wanted of what attention gives, which is all, the scalars, or the vectors.
template <class F>
void with_components(const AttentionShape& shape, const F& f) {
  const auto chosen = [&](auto d) {
    if (shape.contracted()) return f(d, Components<2>{}, Components<0>{}, Components<1>{});
    if (shape.out_begin == 0) return f(d, d, Components<0>{}, d);
    f(d, d, Components<1>{}, Components<4>{});
  };
  if (shape.d == 4) return chosen(Components<4>{});
  if (shape.d == 9) return chosen(Components<9>{});
  chosen(Components<16>{});
}

/// l of component i.
KOKKOS_INLINE_FUNCTION constexpr int degree_of(int i) {
  return i < 1 ? 0 : i < 4 ? 1 : i < 9 ? 2 : 3;
}

/// Where component i of an edge lies in blocks from l = `from` on of `edges` edges, in rows of `pad`.
KOKKOS_INLINE_FUNCTION constexpr long component_row(long edges, long e, int i, int from) {
  const int l = degree_of(i);
  return (l * l - from * from) * edges + e * (2 * l + 1) + i - l * l;
}

/// The same of a message with M components, contracted or not.
template <int D, int M>
KOKKOS_INLINE_FUNCTION constexpr long message_row(long edges, long e, int i) {
  return M == D ? component_row(edges, e, i, 0) : i * edges + e;
}

/// Component i of an atom's features.
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Real* component(const Features<A>& f, long atom, int i, int pad) {
  return f.data + component_row(f.atoms, atom, i, 0) * pad * A::rows;
}

/// y_k = sum_i G_ik x_i.
template <int D, class N, class Vec>
KOKKOS_FORCEINLINE_FUNCTION void apply_transposed(const N* g, const Vec* x, Vec* y) {
#pragma GCC unroll 4
  for (int k = 0; k < D; ++k) {
    y[k] = g[k] * x[0];
#pragma GCC unroll 4
    for (int i = 1; i < D; ++i) y[k] += g[i * D + k] * x[i];
  }
}

/// The channels of a row in runs of lanes: one run a head, or, where heads are not whole lanes, one a lane. Kernels
/// loop over the lanes of each run themselves, for what a lambda captures stays in memory (docs/decisions.md).
template <class A>
struct HeadRuns {
  using T = typename A::Real;
  using N = typename A::Num;
  using Vec = typename A::Vec;
  int channels, heads, size;  ///< of a head
  bool whole;
  int count, lanes;  ///< runs of a row, lanes of a run

  KOKKOS_INLINE_FUNCTION explicit HeadRuns(const AttentionShape& shape)
      : channels(shape.channels),
        heads(shape.heads),
        size(shape.channels / shape.heads),
        whole(device_build || size % lane_width<T> == 0),
        count(whole ? heads : shape.pad / lane_width<T>),
        lanes(whole ? size / lane_width<T> : 1) {}

  /// The first channel of a run.
  KOKKOS_INLINE_FUNCTION int begin(int run) const { return run * lanes * lane_width<T>; }
  /// Numbers of heads in the channels of a run's lanes.
  KOKKOS_FORCEINLINE_FUNCTION Vec spread_heads(const N* of_head, int run) const {
    return whole ? spread<A>(of_head[run]) : mixed_lane(of_head, run);
  }
  /// of_head[h] = the sum over its channels, from those of each run, which come one after the other from run 0 on.
  template <class Team>
  KOKKOS_FORCEINLINE_FUNCTION void add_run(const Team& team, const Vec& sum, int run, N* of_head) const {
    if (!whole) return add_mixed(sum, run, of_head);
    put_whole(team, sum, run, of_head);
  }

  /// The same by way of a row, for kernels whose sums would not survive a call: before and after them, where heads are
  /// not whole lanes.
  KOKKOS_INLINE_FUNCTION void fill_mixed(const N* of_head, T* row, int stride) const {
    for (int run = 0; !whole && run < count; ++run) A::store(row + begin(run), stride, mixed_lane(of_head, run));
  }
  KOKKOS_INLINE_FUNCTION void sum_mixed(const T* row, int stride, N* of_head) const {
    for (int run = 0; !whole && run < count; ++run) add_mixed(A::load(row + begin(run), stride), run, of_head);
  }
  KOKKOS_FORCEINLINE_FUNCTION Vec spread_filled(const N* of_head, int run, const T* row, int stride) const {
    return whole ? spread<A>(of_head[run]) : A::load(row + begin(run), stride);
  }
  template <class Team>
  KOKKOS_FORCEINLINE_FUNCTION void put_run(const Team& team, const Vec& sum, int run, N* of_head, T* row,
                                           int stride) const {
    if (!whole) return A::store(row + begin(run), stride, sum);
    put_whole(team, sum, run, of_head);
  }

 private:
  template <class Team>
  KOKKOS_FORCEINLINE_FUNCTION void put_whole(const Team& team, const Vec& sum, int run, N* of_head) const {
    const N total = team_sum<A>(team, sum);
    team.once([&] { of_head[run] = total; });
  }
  KOKKOS_INLINE_FUNCTION int head_of(int c) const { return c / size < heads ? c / size : heads - 1; }
  [[gnu::noinline]] KOKKOS_FUNCTION Vec mixed_lane(const N* of_head, int run) const {
    Vec lane = A::zero();
    if constexpr (!device_build) {
      for (int k = 0; k < lane_width<T>; ++k) {
        const N& x = of_head[head_of(begin(run) + k)];
        if constexpr (A::dual) {
          lane.v[k] = x.v;
          lane.t[k] = x.t;
        } else {
          lane[k] = x;
        }
      }
    }
    return lane;
  }
  [[gnu::noinline]] KOKKOS_FUNCTION void add_mixed(const Vec& lane, int run, N* of_head) const {
    if constexpr (!device_build) {
      for (int k = 0, c = begin(run); k < lane_width<T> && c < channels; ++k, ++c) {
        if (c % size == 0) of_head[c / size] = N{};
        if constexpr (A::dual) {
          of_head[c / size] += N{lane.v[k], lane.t[k]};
        } else {
          of_head[c / size] += lane[k];
        }
      }
    }
  }
};

}  // namespace isotrope::attention
