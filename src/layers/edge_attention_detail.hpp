// SPDX-License-Identifier: MIT
#pragma once
#include "layers/channels.hpp"
#include "layers/edge_attention.hpp"

/// What the kernels of edge_attention share.
namespace isotrope::attention {

template <int D>
using Components = std::integral_constant<int, D>;

/// Calls f with the number of components as a compile-time constant.
template <class F>
void with_components(int d, const F& f) {
  if (d == 4) return f(Components<4>{});
  if (d == 9) return f(Components<9>{});
  f(Components<16>{});
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

/// Component i of an atom's features.
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Real* component(const Features<A>& f, long atom, int i, int pad) {
  return f.data + component_row(f.atoms, atom, i, 0) * pad * A::rows;
}

/// y_k = sum_i G_ik x_i.
template <int D, class N, class Vec>
KOKKOS_INLINE_FUNCTION void apply_transposed(const N* g, const Vec* x, Vec* y) {
  for (int k = 0; k < D; ++k) {
    y[k] = g[k] * x[0];
    for (int i = 1; i < D; ++i) y[k] += g[i * D + k] * x[i];
  }
}

/// The number of its head in each channel of a lane.
template <class A>
KOKKOS_INLINE_FUNCTION typename A::Vec head_lane(const AttentionShape& shape, const typename A::Num* of_head, int c) {
  using T = typename A::Real;
  const int size = shape.channels / shape.heads;
  if (device_build || size % lane_width<T> == 0) {
    return spread<A>(of_head[c / size]);
  }
  if constexpr (!device_build) {
    typename A::Vec lane = A::zero();
    for (int k = 0; k < lane_width<T>; ++k) {
      const int h = std::min((c + k) / size, shape.heads - 1);
      if constexpr (A::dual) {
        lane.v[k] = of_head[h].v;
        lane.t[k] = of_head[h].t;
      } else {
        lane[k] = of_head[h];
      }
    }
    return lane;
  }
  return A::zero();
}

inline constexpr int most_heads = 16;

/// Calls `product(channel)` for every lane of channels and hands the sum over each head's channels to `use(head, sum)`.
template <class A, class Team, class Product, class Use>
KOKKOS_INLINE_FUNCTION void sum_heads(const Team& team, const AttentionShape& shape, const Product& product,
                                      const Use& use) {
  using T = typename A::Real;
  const int size = shape.channels / shape.heads;
  if (device_build || size % lane_width<T> == 0) {
    for (int h = 0; h < shape.heads; ++h) {
      typename A::Vec sum = A::zero();
      team.for_blocks(size / lane_width<T>, [&](int b) { sum += product(h * size + b * lane_width<T>); });
      const typename A::Num total = team_sum<A>(team, sum);
      team.once([&] { use(h, total); });
    }
    return;
  }
  if constexpr (!device_build) {
    typename A::Num total[most_heads]{};
    for (int c = 0; c < shape.pad; c += lane_width<T>) {
      const typename A::Vec lane = product(c);
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
