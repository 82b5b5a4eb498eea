// SPDX-License-Identifier: MIT
#include "core/lane_hold.hpp"
#include "core/loops.hpp"
#include "layers/convolution.hpp"
#include "layers/edge_radial.hpp"

namespace isotrope {
namespace {

/// Calls f with 2 l1 + 1, 2 l3 + 1 and whether l2 = 0 as compile-time constants: then the coupling matrix is diagonal,
/// and has no adjoint, for Y_00 is a constant.
template <int D>
using Size = std::integral_constant<int, D>;
template <class F, class D1>
KOKKOS_INLINE_FUNCTION void with_l3(int l3, const F& f, D1 d1) {
  switch (l3) {
    case 0:
      return f(d1, Size<1>{}, std::false_type{});
    case 1:
      return f(d1, Size<3>{}, std::false_type{});
    case 2:
      return f(d1, Size<5>{}, std::false_type{});
    default:
      return f(d1, Size<7>{}, std::false_type{});
  }
}
template <class F>
KOKKOS_INLINE_FUNCTION void with_sizes(const ConvolutionPath& path, const F& f) {
  constexpr int diagonal = Convolution::l_limit + 1;
  switch (path.l2 == 0 ? diagonal + path.l1 : path.l1) {
    case diagonal:
      return f(Size<1>{}, Size<1>{}, std::true_type{});
    case diagonal + 1:
      return f(Size<3>{}, Size<3>{}, std::true_type{});
    case diagonal + 2:
      return f(Size<5>{}, Size<5>{}, std::true_type{});
    case diagonal + 3:
      return f(Size<7>{}, Size<7>{}, std::true_type{});
    case 0:
      return with_l3(path.l3, f, Size<1>{});
    case 1:
      return with_l3(path.l3, f, Size<3>{});
    case 2:
      return with_l3(path.l3, f, Size<5>{});
    default:
      return with_l3(path.l3, f, Size<7>{});
  }
}

/// The rows of an atom, which a later edge reads.
template <class A>
KOKKOS_FORCEINLINE_FUNCTION void fetch_rows_ahead(const Features<A>& x, int atom) {
  for (int b = 0; b < x.layout.count; ++b) {
    const typename A::Real* row = x.at(b, atom, 0);
    const int numbers = (2 * x.layout.block[b].l + 1) * x.layout.block[b].pad * A::rows;
    for (int k = 0; k < numbers; k += cache_line<typename A::Real>) fetch_ahead(row + k);
  }
}

template <class A, class Radial>
struct Convolve {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  EdgeBatch<A> batch;
  Radial radial;
  View<ConvolutionPath> paths;
  int couplings;
  Features<A> in, out;

  /// At least one group, so that receivers without edges get their zeros.
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int item) const {
    const int i = batch.row_begin + item;
    const long end = batch.first[i + 1];
    long begin = batch.first[i];
    bool more = false;
    do {
      const long n = radial.group_size(end - begin);
      const auto group = radial.group(begin, n);
      if constexpr (Radial::few_at_a_time) {
        for (long e = begin + n; e < begin + 2 * n && e < batch.edge_end; ++e) {
          fetch_rows_ahead(in, batch.sender[e - batch.edge_begin]);
        }
      }
      for (int p = 0; p < static_cast<int>(paths.extent(0)); ++p) {
        const ConvolutionPath& path = paths(p);
        with_sizes(path, [&](auto d1, auto d3, auto diagonal) {
          sum_edges<d1(), d3(), diagonal()>(team, path, i, begin, n, group, more);
        });
      }
      begin += n;
      more = true;
    } while (begin < end);
  }

  /// Lanes that share what is read of a coupling matrix, as many as there are registers for.
  template <int D3>
  static constexpr int most_lanes = device_build || A::dual || 2 * D3 + 6 > vector_registers<T> ? 1
                                    : 4 * D3 + 12 > vector_registers<T>                         ? 2
                                                                                                : 4;

  template <int D1, int D3, bool diagonal>
  KOKKOS_INLINE_FUNCTION void sum_edges(const ChannelTeam& team, const ConvolutionPath& path, int i, long begin, long n,
                                        const typename Radial::Group& group, bool more) const {
    constexpr int most = most_lanes<D3>;
    const int lanes = in.layout.block[path.in_block].pad / lane_width<T>;
    team.for_blocks((lanes + most - 1) / most, [&](int b) {
      some_lanes<D1, D3, diagonal, most>(lanes - b * most, path, i, begin, n, group, more, b * most * lane_width<T>);
    });
  }

  /// As many lanes as are left, 1 to `most`.
  template <int D1, int D3, bool diagonal, int most, class... Args>
  KOKKOS_FORCEINLINE_FUNCTION void some_lanes(int left, const Args&... args) const {
    if (left >= most) return sum_lanes<D1, D3, diagonal, most>(args...);
    if constexpr (most > 1) some_lanes<D1, D3, diagonal, most - 1>(left, args...);
  }

  /// The channels [c, c + lanes * lane width) of a path.
  template <int D1, int D3, bool diagonal, int lanes>
  KOKKOS_FORCEINLINE_FUNCTION void sum_lanes(const ConvolutionPath& path, int i, long begin, long n,
                                             const typename Radial::Group& group, bool more, int c) const {
    constexpr int w = lane_width<T>;
    const int pad = in.layout.block[path.in_block].pad, out_pad = out.layout.block[path.out_block].pad;
    T* const target = out.at(path.out_block, i - batch.message_begin, 0) + path.out_channel + c;
    Vec sum[lanes][D3];
#pragma GCC unroll 7
    for (int a = 0; a < lanes; ++a) {
#pragma GCC unroll 7
      for (int m = 0; m < D3; ++m) {
        sum[a][m] = more ? A::load(target + m * out_pad * A::rows + a * w, out_pad) : A::zero();
      }
    }
    for (long k = 0; k < n; ++k) {
      const long e = begin + k;
      const typename A::Num* matrix = batch.couplings + (e - batch.edge_begin) * couplings + path.coupling;
      const T* h = in.at(path.in_block, batch.sender[e - batch.edge_begin], 0) + c;
      Vec r[lanes], x[lanes];
#pragma GCC unroll 7
      for (int a = 0; a < lanes; ++a) r[a] = group[k].value(path.weight + c + a * w);
#pragma GCC unroll 7
      for (int m1 = 0; m1 < D1; ++m1) {
#pragma GCC unroll 7
        for (int a = 0; a < lanes; ++a) x[a] = r[a] * A::load(h + m1 * pad * A::rows + a * w, pad);
#pragma GCC unroll 7
        for (int m3 = diagonal ? m1 : 0; m3 < (diagonal ? m1 + 1 : D3); ++m3) {
#pragma GCC unroll 7
          for (int a = 0; a < lanes; ++a) sum[a][m3] += matrix[m3 * D1 + m1] * x[a];
        }
      }
    }
#pragma GCC unroll 7
    for (int a = 0; a < lanes; ++a) {
#pragma GCC unroll 7
      for (int m = 0; m < D3; ++m) A::store(target + m * out_pad * A::rows + a * w, out_pad, sum[a][m]);
    }
  }
};

template <class A, class Radial>
struct ConvolveBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  EdgeBatch<A> batch;
  Radial radial;
  View<ConvolutionPath> paths;
  int couplings;
  Features<A> in, g_out, g_in;
  T* g_couplings;

  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int item) const {
    const int i = batch.row_begin + item;
    for (long e = batch.first[i]; e < batch.first[i + 1]; ++e) {
      auto of_edge = radial.edge(e);
      if (e + 1 < batch.edge_end) {
        const int next = batch.sender[e + 1 - batch.edge_begin];
        fetch_rows_ahead(in, next);
        if (g_in.data) fetch_rows_ahead(g_in, next);
      }
      for (int p = 0; p < static_cast<int>(paths.extent(0)); ++p) {
        const ConvolutionPath& path = paths(p);
        with_sizes(path,
                   [&](auto d1, auto d3, auto diagonal) { edge<d1(), d3(), diagonal()>(team, path, i, e, of_edge); });
      }
      of_edge.finish(team);
    }
  }

  template <int D1, int D3, bool diagonal>
  KOKKOS_INLINE_FUNCTION void edge(const ChannelTeam& team, const ConvolutionPath& path, int i, long e,
                                   typename Radial::Edge& of_edge) const {
    constexpr int sums = diagonal ? D1 : D1 * D3;
    constexpr bool fits = D1 == 1 || (!A::dual && sums + 2 * D1 + 5 <= vector_registers<T>);
    if constexpr (fits) {
      all_components<D1, D3, diagonal>(team, path, i, e, of_edge);
    } else {
      by_component<D1, D3, diagonal>(team, path, i, e, of_edge);
    }
  }

  /// The adjoint of a coupling matrix.
  template <int D1, int D3>
  KOKKOS_FORCEINLINE_FUNCTION void store_matrix(const ChannelTeam& team, const ConvolutionPath& path, long e,
                                                const Lane<T>* g_matrix) const {
    T* target = g_couplings + (e - batch.edge_begin) * couplings + path.coupling;
    team.template store_sums<D1 * D3, T>(g_matrix, target);
  }

  /// Where the sums of a matrix fit into registers: a lane of channels has all of its components at once.
  template <int D1, int D3, bool diagonal>
  KOKKOS_FORCEINLINE_FUNCTION void all_components(const ChannelTeam& team, const ConvolutionPath& path, int i, long e,
                                                  typename Radial::Edge& of_edge) const {
    const int pad = in.layout.block[path.in_block].pad, out_pad = g_out.layout.block[path.out_block].pad;
    const int j = batch.sender[e - batch.edge_begin], weight = path.weight;
    const T* h = in.at(path.in_block, j, 0);
    T* g_h = g_in.data ? g_in.at(path.in_block, j, 0) : nullptr;
    const T* g = g_out.at(path.out_block, i - batch.message_begin, 0) + path.out_channel;
    const typename A::Num* from = batch.couplings + (e - batch.edge_begin) * couplings + path.coupling;
    const auto radial = of_edge;  // copies, for what is stored could change the originals
    typename Radial::Edge::Gradient g_radial;
    typename A::Num matrix[D1 * D3];
    Lane<T> sum[D1 * D3];
#pragma GCC unroll 49
    for (int k = 0; k < D1 * D3; ++k) {
      matrix[k] = from[k];
      sum[k] = Lane<T>(T(0));
    }
    // No lambda: what it captures stays in memory.
    for (int b = team.first_block(); b < pad / lane_width<T>; b += team.block_step()) {
      const int c = b * lane_width<T>;
      const Vec r = hold(Vec(radial.value(weight + c)));
      Vec x[D1], rx[D1], w[D1];
#pragma GCC unroll 7
      for (int m1 = 0; m1 < D1; ++m1) {
        x[m1] = hold(Vec(A::load(h + c + m1 * pad * A::rows, pad)));
        rx[m1] = r * x[m1];
        w[m1] = A::zero();
      }
#pragma GCC unroll 7
      for (int m3 = 0; m3 < D3; ++m3) {
        const Vec g3 = hold(Vec(A::load(g + c + m3 * out_pad * A::rows, out_pad)));
#pragma GCC unroll 7
        for (int m1 = diagonal ? m3 : 0; m1 < (diagonal ? m3 + 1 : D1); ++m1) {
          w[m1] += matrix[m3 * D1 + m1] * g3;
          if constexpr (!A::dual && !diagonal) sum[m3 * D1 + m1] += g3 * rx[m1];
        }
      }
      Vec g_r = w[0] * x[0];
#pragma GCC unroll 7
      for (int m1 = 1; m1 < D1; ++m1) g_r += w[m1] * x[m1];
      radial.add_gradient(g_radial, weight + c, g_r);
      if (!g_h) continue;
#pragma GCC unroll 7
      for (int m1 = 0; m1 < D1; ++m1) scatter<A>(g_h + c + m1 * pad * A::rows, pad, r * w[m1]);
    }
    of_edge.include(g_radial);
    if constexpr (!A::dual && !diagonal) store_matrix<D1, D3>(team, path, e, sum);
  }

  /// Lanes of channels that pass through a row of the coupling matrix together, so that it stays in registers.
  static constexpr int tile = device_build ? 1 : 8;

  template <int D1, int D3, bool diagonal>
  KOKKOS_FORCEINLINE_FUNCTION void by_component(const ChannelTeam& team, const ConvolutionPath& path, int i, long e,
                                                typename Radial::Edge& of_edge) const {
    Lane<T> g_matrix[D1 * D3];
    for (int k = 0; k < D1 * D3; ++k) g_matrix[k] = Lane<T>(T(0));
    const int lanes = in.layout.block[path.in_block].pad / lane_width<T>;
    team.for_blocks((lanes + tile - 1) / tile, [&](int b) {
      Vec r[tile], g_r[tile];
      const auto radial = of_edge;
      typename Radial::Edge::Gradient g_radial;
      const int begin = b * tile, n = lanes - begin < tile ? lanes - begin : tile;
      const int weight = path.weight + begin * lane_width<T>;
      for (int a = 0; a < n; ++a) r[a] = radial.value(weight + a * lane_width<T>);
      for (int m1 = 0; m1 < D1; ++m1) {
        component<D1, D3, diagonal>(path, i, e, m1, begin * lane_width<T>, n, r, g_r, g_matrix);
      }
      for (int a = 0; a < n; ++a) radial.add_gradient(g_radial, weight + a * lane_width<T>, g_r[a]);
      of_edge.include(g_radial);
    });
    if constexpr (!A::dual && !diagonal) store_matrix<D1, D3>(team, path, e, g_matrix);
  }

  /// One component of the sender feature, n lanes of channels from `channel` on; the first begins the sums in g_r.
  template <int D1, int D3, bool diagonal>
  KOKKOS_FORCEINLINE_FUNCTION void component(const ConvolutionPath& path, int i, long e, int m1, int channel, int n,
                                             const Vec* r, Vec* g_r, Lane<T>* g_matrix) const {
    const int pad = in.layout.block[path.in_block].pad, out_pad = g_out.layout.block[path.out_block].pad;
    const int first = diagonal ? m1 : 0, j = batch.sender[e - batch.edge_begin];
    constexpr int count = diagonal ? 1 : D3;
    const T* h = in.at(path.in_block, j, m1) + channel;
    T* g_h = g_in.data ? g_in.at(path.in_block, j, m1) + channel : nullptr;
    const T* g = g_out.at(path.out_block, i - batch.message_begin, first) + path.out_channel + channel;
    const typename A::Num* matrix =
        batch.couplings + (e - batch.edge_begin) * couplings + path.coupling + first * D1 + m1;
    typename A::Num row[count];
    for (int k = 0; k < count; ++k) row[k] = matrix[k * D1];
    Lane<T> g_row[count];
    for (int k = 0; k < count; ++k) g_row[k] = g_matrix[(first + k) * D1 + m1];
    for (int a = 0; a < n; ++a, h += lane_width<T>, g += lane_width<T>) {
      const Vec x = hold(Vec(A::load(h, pad))), rx = r[a] * x;
      Vec w = A::zero();
      for (int k = 0; k < count; ++k) {
        const Vec g3 = hold(Vec(A::load(g + k * out_pad * A::rows, out_pad)));
        w += row[k] * g3;
        if constexpr (!A::dual && !diagonal) g_row[k] += g3 * rx;
      }
      g_r[a] = m1 == 0 ? Vec(w * x) : Vec(g_r[a] + w * x);
      if (g_h) scatter<A>(g_h + a * lane_width<T>, pad, r[a] * w);
    }
    for (int k = 0; k < count; ++k) g_matrix[(first + k) * D1 + m1] = g_row[k];
  }
};

/// Calls f with the source of the radial weights.
template <class A, class F>
void with_radial(const Convolution& c, const EdgeBatch<A>& batch, const F& f) {
  if constexpr (!A::dual) {
    if (batch.table.rows) {
      f(TabulatedRadial<typename A::Real>{batch.table, batch.r, batch.g_length, batch.edge_begin});
      return;
    }
  }
  f(StoredRadial<A>{batch.weights, c.weights, batch.edge_begin});
}

}  // namespace

template <class A>
void convolve(const Convolution& c, const EdgeBatch<A>& batch, const Features<A>& in, const Features<A>& out) {
  with_radial<A>(c, batch, [&](const auto& radial) {
    using Radial = std::decay_t<decltype(radial)>;
    for_teams("isotrope::convolve", batch.row_end - batch.row_begin,
              Convolve<A, Radial>{batch, radial, c.device_paths, c.couplings, in, out});
  });
}

template <class A>
void convolve_backward(const Convolution& c, const EdgeBatch<A>& batch, const Features<A>& in, const Features<A>& g_out,
                       const Features<A>& g_in, typename A::Real* g_couplings) {
  with_radial<A>(c, batch, [&](const auto& radial) {
    using Radial = std::decay_t<decltype(radial)>;
    for_teams("isotrope::convolve_backward", batch.row_end - batch.row_begin,
              ConvolveBackward<A, Radial>{batch, radial, c.device_paths, c.couplings, in, g_out, g_in, g_couplings});
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                                       \
  template void convolve<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&);         \
  template void convolve_backward<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&, \
                                     const Features<A>&, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
