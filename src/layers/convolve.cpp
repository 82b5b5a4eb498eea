// SPDX-License-Identifier: MIT
#include "core/lane_hold.hpp"
#include "core/loops.hpp"
#include "layers/convolve_detail.hpp"

namespace isotrope {
namespace {

using namespace convolving;

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
  static constexpr int most_lanes = device_build || A::dual || 2 * D3 + 6 > vector_registers<T>   ? 1
                                    : !Radial::few_at_a_time || 4 * D3 + 12 > vector_registers<T> ? 2
                                                                                                  : 4;

  template <int D1, int D3, bool diagonal>
  KOKKOS_INLINE_FUNCTION void sum_edges(const ChannelTeam& team, const ConvolutionPath& path, int i, long begin, long n,
                                        const typename Radial::Group& group, bool more) const {
    constexpr int most = most_lanes<D3>;
    const int lanes = in.layout.block[path.in_block].pad / lane_width<T>;
    team.for_blocks((lanes + most - 1) / most, [&](int b) {
      const int end = lanes < (b + 1) * most ? lanes : (b + 1) * most;
      for (int a = b * most; a < end;)
        a += first_lanes<D1, D3, diagonal, most>(end - a, path, i, begin, n, group, more, a);
    });
  }

  /// Of the lanes that are left from lane a on as many as fit, `most` or a half of it, a quarter ...; returns how many.
  template <int D1, int D3, bool diagonal, int most>
  KOKKOS_FORCEINLINE_FUNCTION int first_lanes(int left, const ConvolutionPath& path, int i, long begin, long n,
                                              const typename Radial::Group& group, bool more, int a) const {
    if constexpr (most > 1) {
      if (left < most) return first_lanes<D1, D3, diagonal, most / 2>(left, path, i, begin, n, group, more, a);
    }
    sum_lanes<D1, D3, diagonal, most>(path, i, begin, n, group, more, a * lane_width<T>);
    return most;
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

}  // namespace

template <class A>
void convolve(const Convolution& c, const EdgeBatch<A>& batch, const Features<A>& in, const Features<A>& out) {
  with_radial<A>(c, batch, [&](const auto& radial) {
    using Radial = std::decay_t<decltype(radial)>;
    for_teams("isotrope::convolve", batch.row_end - batch.row_begin,
              Convolve<A, Radial>{batch, radial, c.device_paths, c.couplings, in, out});
  });
}

#define ISOTROPE_INSTANTIATE(A) \
  template void convolve<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
