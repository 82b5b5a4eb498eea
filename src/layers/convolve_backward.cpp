// SPDX-License-Identifier: MIT
#include "core/lane_hold.hpp"
#include "core/loops.hpp"
#include "layers/convolve_detail.hpp"

namespace isotrope {
namespace {

using namespace convolving;

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

  /// Whether a coupling matrix has an adjoint that is read.
  template <bool diagonal>
  static constexpr bool matrix_wanted = !A::dual && !diagonal;

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
    constexpr int entries = diagonal ? D1 : D1 * D3;
    constexpr bool fits = D1 == 1 || (!A::dual && entries + 2 * D1 + 5 <= vector_registers<T>);
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
          if constexpr (matrix_wanted<diagonal>) sum[m3 * D1 + m1] += g3 * rx[m1];
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
    if constexpr (matrix_wanted<diagonal>) store_matrix<D1, D3>(team, path, e, sum);
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
    if constexpr (matrix_wanted<diagonal>) store_matrix<D1, D3>(team, path, e, g_matrix);
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
        if constexpr (matrix_wanted<diagonal>) g_row[k] += g3 * rx;
      }
      g_r[a] = m1 == 0 ? Vec(w * x) : Vec(g_r[a] + w * x);
      if (g_h) scatter<A>(g_h + a * lane_width<T>, pad, r[a] * w);
    }
    for (int k = 0; k < count; ++k) g_matrix[(first + k) * D1 + m1] = g_row[k];
  }
};

}  // namespace

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
  template void convolve_backward<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&, \
                                     const Features<A>&, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
