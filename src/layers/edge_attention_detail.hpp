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

/// Whether a cache line begins at channel c.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION bool line_begins(int c) {
  return c % static_cast<int>(64 / sizeof(T)) == 0;
}
/// Starts to load what the next edge reads at the same channels: senders, radial rows and kept values lie anywhere in
/// memory, in rows too short for the processor to foresee them.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION void fetch_ahead([[maybe_unused]] const T* p) {
#ifndef ISOTROPE_DEVICE_BUILD
  __builtin_prefetch(p);
#endif
}

/// y_k = sum_i G_ik x_i.
template <int D, class N, class Vec>
KOKKOS_INLINE_FUNCTION void apply_transposed(const N* g, const Vec* x, Vec* y) {
  for (int k = 0; k < D; ++k) {
    y[k] = g[k] * x[0];
    for (int i = 1; i < D; ++i) y[k] += g[i * D + k] * x[i];
  }
}

inline constexpr int most_heads = 16;
/// In place of the head of a lane whose channels belong to several.
inline constexpr int mixed = -1;

/// f(channel, head) for every lane of channels.
template <class T, class Team, class F>
KOKKOS_INLINE_FUNCTION void for_heads(const Team& team, const AttentionShape& shape, const F& f) {
  const int size = shape.channels / shape.heads;
  if (device_build || size % lane_width<T> == 0) {
    for (int h = 0; h < shape.heads; ++h) {
      team.for_blocks(size / lane_width<T>, [&](int b) { f(h * size + b * lane_width<T>, h); });
    }
  } else {
    for (int c = 0; c < shape.pad; c += lane_width<T>) f(c, mixed);
  }
}

/// The number of its head in each channel of a lane.
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Vec head_lane(const AttentionShape& shape, const typename A::Num* of_head, int c,
                                                 int head) {
  if (device_build || head != mixed) return spread<A>(of_head[head]);
  typename A::Vec lane = A::zero();
  if constexpr (!device_build) {
    const int size = shape.channels / shape.heads;
    for (int k = 0; k < lane_width<typename A::Real>; ++k) {
      const int h = std::min((c + k) / size, shape.heads - 1);
      if constexpr (A::dual) {
        lane.v[k] = of_head[h].v;
        lane.t[k] = of_head[h].t;
      } else {
        lane[k] = of_head[h];
      }
    }
  }
  return lane;
}

/// Calls `product(channel, head)` for every lane of channels and hands the sum over each head's channels to
/// `use(head, sum)`.
template <class A, class Team, class Product, class Use>
KOKKOS_INLINE_FUNCTION void sum_heads(const Team& team, const AttentionShape& shape, const Product& product,
                                      const Use& use) {
  using T = typename A::Real;
  const int size = shape.channels / shape.heads;
  if (device_build || size % lane_width<T> == 0) {
    for (int h = 0; h < shape.heads; ++h) {
      typename A::Vec sum = A::zero();
      team.for_blocks(size / lane_width<T>, [&](int b) { sum += product(h * size + b * lane_width<T>, h); });
      const typename A::Num total = team_sum<A>(team, sum);
      team.once([&] { use(h, total); });
    }
    return;
  }
  if constexpr (!device_build) {
    typename A::Num total[most_heads]{};
    for (int c = 0; c < shape.pad; c += lane_width<T>) {
      const typename A::Vec lane = product(c, mixed);
      for (int k = 0; k < lane_width<T> && c + k < shape.channels; ++k) {
        if constexpr (A::dual) {
          total[(c + k) / size] += typename A::Num{lane.v[k], lane.t[k]};
        } else {
          total[(c + k) / size] += lane[k];
        }
      }
    }
    for (int h = 0; h < shape.heads; ++h) use(h, total[h]);
  }
}

}  // namespace isotrope::attention
