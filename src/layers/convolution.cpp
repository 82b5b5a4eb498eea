// SPDX-License-Identifier: MIT
#include "layers/convolution.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/loops.hpp"
#include "so3/clebsch_gordan.hpp"

namespace isotrope {
namespace {

std::vector<ConvolutionPath> natural_parity_paths(const Layout& in, int l_max) {
  std::vector<ConvolutionPath> paths;
  for (int l3 = 0; l3 <= l_max; ++l3) {
    for (int b = 0; b < in.count; ++b) {
      const int l1 = in.block[b].l;
      for (int l2 = std::abs(l1 - l3); l2 <= std::min(l_max, l1 + l3); ++l2) {
        if ((l1 + l2 + l3) % 2 == 0) paths.push_back({b, l1, l2, l3, l3});
      }
    }
  }
  return paths;
}

}  // namespace

Convolution::Convolution(const Layout& in, int l_max) : Convolution(in, natural_parity_paths(in, l_max), l_max + 1) {}

Convolution::Convolution(const Layout& in, std::vector<ConvolutionPath> wanted, int out_blocks)
    : paths(std::move(wanted)) {
  std::vector<int> entry_begin{0}, entry_harmonic;
  std::vector<double> entry_value;
  std::vector<int> pads(out_blocks, 0), muls(out_blocks, 0), ls(out_blocks, 0);
  for (ConvolutionPath& p : paths) {
    require(std::max({p.l1, p.l2, p.l3}) <= l_limit, "l_max is {}: this build convolves up to l = {}",
            std::max({p.l1, p.l2, p.l3}), l_limit);
    ls[p.out_block] = p.l3;
    p.channels = in.block[p.in_block].mul;
    p.out_channel = pads[p.out_block];
    p.weight = weights;
    p.coupling = couplings;
    pads[p.out_block] += in.block[p.in_block].pad;
    muls[p.out_block] += in.block[p.in_block].mul;
    weights += in.block[p.in_block].pad;
    const int d1 = 2 * p.l1 + 1, d2 = 2 * p.l2 + 1, d3 = 2 * p.l3 + 1;
    couplings += d1 * d3;
    const std::vector<double>& w3j = wigner_3j(p.l1, p.l2, p.l3);
    for (int m3 = 0; m3 < d3; ++m3) {
      for (int m1 = 0; m1 < d1; ++m1) {
        for (int m2 = 0; m2 < d2; ++m2) {
          const double c = std::sqrt(static_cast<double>(d3)) * w3j[(m1 * d2 + m2) * d3 + m3];
          if (std::abs(c) < 1e-14) continue;
          entry_harmonic.push_back(p.l2 * p.l2 + m2);
          entry_value.push_back(c);
        }
        entry_begin.push_back(static_cast<int>(entry_value.size()));
      }
    }
  }
  for (int b = 0; b < out_blocks; ++b) out.add(ls[b], muls[b], pads[b]);
  bool in_order = true;
  for (std::size_t k = 0; k < paths.size(); ++k) {
    in_order = in_order && paths[k].l1 == 0 && paths[k].l2 == static_cast<int>(k);
  }
  couplings_are_harmonics = in_order;
  begin = to_device("isotrope::convolution::begin", entry_begin);
  harmonic = to_device("isotrope::convolution::harmonic", entry_harmonic);
  value = to_device("isotrope::convolution::value", entry_value);
  single_value = to_device("isotrope::convolution::value", std::vector<float>(entry_value.begin(), entry_value.end()));
  device_paths = to_device("isotrope::convolution::paths", paths);
}

namespace {

template <class A>
struct Couple {
  int couplings, harmonics;
  View<int> begin, harmonic;
  View<double> value;
  const typename A::Num* y;
  typename A::Num* out;
  KOKKOS_FUNCTION void operator()(long e) const {
    using T = typename A::Real;
    for (int k = 0; k < couplings; ++k) {
      typename A::Num sum{};
      for (int n = begin(k); n < begin(k + 1); ++n) sum += static_cast<T>(value(n)) * y[e * harmonics + harmonic(n)];
      out[e * couplings + k] = sum;
    }
  }
};

/// Calls f with the sizes 2 l1 + 1 and 2 l3 + 1 as compile-time constants.
template <int D>
using Size = std::integral_constant<int, D>;
template <class F, class D1>
KOKKOS_INLINE_FUNCTION void with_l3(int l3, const F& f, D1 d1) {
  switch (l3) {
    case 0:
      f(d1, Size<1>{});
      break;
    case 1:
      f(d1, Size<3>{});
      break;
    case 2:
      f(d1, Size<5>{});
      break;
    default:
      f(d1, Size<7>{});
      break;
  }
}
template <class F>
KOKKOS_INLINE_FUNCTION void with_sizes(int l1, int l3, const F& f) {
  switch (l1) {
    case 0:
      with_l3(l3, f, Size<1>{});
      break;
    case 1:
      with_l3(l3, f, Size<3>{});
      break;
    case 2:
      with_l3(l3, f, Size<5>{});
      break;
    default:
      with_l3(l3, f, Size<7>{});
      break;
  }
}

/// Where radial weights come from. A group is a number of edges of one receiver that are summed together: all of them
/// where weights are stored.
template <class A>
struct StoredRadial {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  T* weights;
  int width;
  long edge_begin;

  struct Edge {
    T* row;
    int width;
    KOKKOS_INLINE_FUNCTION Vec value(int at) const { return A::load(row + at, width); }
    KOKKOS_INLINE_FUNCTION void add_gradient(int at, const Vec& g) { A::store(row + at, width, g); }
    KOKKOS_INLINE_FUNCTION void finish(const ChannelTeam&) const {}
  };
  KOKKOS_INLINE_FUNCTION Edge edge(long e) const { return {weights + (e - edge_begin) * width * A::rows, width}; }

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
  static constexpr long most = 4;
  TableView<T> table;
  const double* r;
  double* g_length;

  struct Edge {
    typename TableView<T>::Place place;
    double* g_length;
    Lane<T> g{T(0)};
    KOKKOS_INLINE_FUNCTION Lane<T> value(int at) const { return place.value(at); }
    KOKKOS_INLINE_FUNCTION void add_gradient(int at, const Lane<T>& g_r) { g += g_r * place.slope(at); }
    KOKKOS_INLINE_FUNCTION void finish(const ChannelTeam& team) const {
      const T total = team.sum(g);
      team.once([&] { *g_length += static_cast<double>(total); });
    }
  };
  KOKKOS_INLINE_FUNCTION Edge edge(long e) const { return {table.place(r + 3 * e), g_length + e}; }

  struct Group {
    typename TableView<T>::Place places[most];
    KOKKOS_INLINE_FUNCTION const typename TableView<T>::Place& operator[](long k) const { return places[k]; }
  };
  KOKKOS_INLINE_FUNCTION long group_size(long rest) const { return rest < most ? rest : most; }
  KOKKOS_INLINE_FUNCTION Group group(long begin, long n) const {
    Group group;
    for (long k = 0; k < n; ++k) group.places[k] = table.place(r + 3 * (begin + k));
    return group;
  }
};

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
      for (int p = 0; p < static_cast<int>(paths.extent(0)); ++p) {
        const ConvolutionPath& path = paths(p);
        with_sizes(path.l1, path.l3,
                   [&](auto d1, auto d3) { sum_edges<d1(), d3()>(team, path, i, begin, n, group, more); });
      }
      begin += n;
      more = true;
    } while (begin < end);
  }

  template <int D1, int D3>
  KOKKOS_INLINE_FUNCTION void sum_edges(const ChannelTeam& team, const ConvolutionPath& path, int i, long begin, long n,
                                        const typename Radial::Group& group, bool more) const {
    const int pad = in.layout.block[path.in_block].pad, out_pad = out.layout.block[path.out_block].pad;
    T* const target = out.at(path.out_block, i - batch.message_begin, 0) + path.out_channel;
    team.for_blocks(pad / lane_width<T>, [&](int b) {
      const int c = b * lane_width<T>;
      Vec sum[D3];
      for (int m = 0; m < D3; ++m) sum[m] = more ? A::load(target + m * out_pad * A::rows + c, out_pad) : A::zero();
      for (long k = 0; k < n; ++k) {
        const long e = begin + k;
        const typename A::Num* matrix = batch.couplings + (e - batch.edge_begin) * couplings + path.coupling;
        const Vec r = group[k].value(path.weight + c);
        const T* h = in.at(path.in_block, batch.sender[e], 0) + c;
        Vec x[D1];
        for (int m = 0; m < D1; ++m) x[m] = r * A::load(h + m * pad * A::rows, pad);
        for (int m3 = 0; m3 < D3; ++m3) {
          for (int m1 = 0; m1 < D1; ++m1) sum[m3] += matrix[m3 * D1 + m1] * x[m1];
        }
      }
      for (int m = 0; m < D3; ++m) A::store(target + m * out_pad * A::rows + c, out_pad, sum[m]);
    });
  }
};

/// Factors of the 3j symbols in the precision of the network.
template <class T>
const View<T>& values_of(const Convolution& c) {
  if constexpr (std::is_same_v<T, float>) {
    return c.single_value;
  } else {
    return c.value;
  }
}

template <class A, class Radial>
struct ConvolveBackward {
  using T = typename A::Real;
  using Vec = typename A::Vec;
  static constexpr int most_harmonics = (Convolution::l_limit + 1) * (Convolution::l_limit + 1);
  EdgeBatch<A> batch;
  Radial radial;
  View<ConvolutionPath> paths;
  int couplings;
  View<int> begin, harmonic;
  View<T> value;
  Features<A> in, g_out, g_in;
  int harmonics;
  T* g_harmonics;

  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int item) const {
    const int i = batch.row_begin + item;
    for (long e = batch.first[i]; e < batch.first[i + 1]; ++e) {
      Lane<T> g_y[most_harmonics];
      for (int k = 0; k < most_harmonics; ++k) g_y[k] = Lane<T>(T(0));
      auto of_edge = radial.edge(e);
      for (int p = 0; p < static_cast<int>(paths.extent(0)); ++p) {
        const ConvolutionPath& path = paths(p);
        with_sizes(path.l1, path.l3, [&](auto d1, auto d3) { edge<d1(), d3()>(team, path, i, e, of_edge, g_y); });
      }
      of_edge.finish(team);
      if constexpr (!A::dual) {
        T* target = g_harmonics + (e - batch.edge_begin) * harmonics;
        for (int k = 0; k < harmonics && k < most_harmonics; ++k) {
          const T total = team.sum(g_y[k]);
          team.once([&] { target[k] += total; });
        }
      }
    }
  }

  template <int D1, int D3>
  KOKKOS_INLINE_FUNCTION void edge(const ChannelTeam& team, const ConvolutionPath& path, int i, long e,
                                   typename Radial::Edge& of_edge, Lane<T>* g_y) const {
    const long local = e - batch.edge_begin;
    const int pad = in.layout.block[path.in_block].pad;
    const int out_pad = g_out.layout.block[path.out_block].pad;
    const typename A::Num* matrix = batch.couplings + local * couplings + path.coupling;
    const int j = batch.sender[e];
    const T* h = in.at(path.in_block, j, 0);
    T* g_h = g_in.data ? g_in.at(path.in_block, j, 0) : nullptr;
    const T* g = g_out.at(path.out_block, i - batch.message_begin, 0) + path.out_channel;
    Lane<T> g_matrix[D1 * D3];
    for (int k = 0; k < D1 * D3; ++k) g_matrix[k] = Lane<T>(T(0));

    team.for_blocks(pad / lane_width<T>, [&](int b) {
      const int c = b * lane_width<T>;
      Vec g3[D3];
      for (int m = 0; m < D3; ++m) g3[m] = A::load(g + m * out_pad * A::rows + c, out_pad);
      const Vec r = of_edge.value(path.weight + c);
      Vec g_r = A::zero();
      for (int m1 = 0; m1 < D1; ++m1) {
        const Vec x = A::load(h + m1 * pad * A::rows + c, pad);
        Vec w = matrix[m1] * g3[0];
        for (int m3 = 1; m3 < D3; ++m3) w += matrix[m3 * D1 + m1] * g3[m3];
        g_r += w * x;
        if (g_h) scatter<A>(g_h + m1 * pad * A::rows + c, pad, r * w);
        if constexpr (!A::dual) {
          const Vec rx = r * x;
          for (int m3 = 0; m3 < D3; ++m3) g_matrix[m3 * D1 + m1] += g3[m3] * rx;
        }
      }
      of_edge.add_gradient(path.weight + c, g_r);
    });
    if constexpr (!A::dual) spread<D1 * D3>(path, g_matrix, g_y);
  }

  /// From the adjoint of a coupling matrix to that of the harmonics, lane by lane: the sum over channels comes last.
  template <int D>
  KOKKOS_INLINE_FUNCTION void spread(const ConvolutionPath& path, const Lane<T>* g_matrix, Lane<T>* g_y) const {
    for (int k = 0; k < D; ++k) {
      for (int n = begin(path.coupling + k); n < begin(path.coupling + k + 1); ++n) {
        g_y[harmonic(n)] += value(n) * g_matrix[k];
      }
    }
  }
};

}  // namespace

template <class A>
void couple(const Convolution& c, long edges, int harmonics, const typename A::Num* y, typename A::Num* couplings) {
  for_each("isotrope::couple", edges, Couple<A>{c.couplings, harmonics, c.begin, c.harmonic, c.value, y, couplings});
}

namespace {

/// Calls f with the source of the radial weights.
template <class A, class F>
void with_radial(const Convolution& c, const EdgeBatch<A>& batch, const F& f) {
  if constexpr (!A::dual) {
    if (batch.table.rows) {
      f(TabulatedRadial<typename A::Real>{batch.table, batch.r, batch.g_length});
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
                       const Features<A>& g_in, int harmonics, typename A::Real* g_harmonics) {
  with_radial<A>(c, batch, [&](const auto& radial) {
    using T = typename A::Real;
    using Radial = std::decay_t<decltype(radial)>;
    for_teams("isotrope::convolve_backward", batch.row_end - batch.row_begin,
              ConvolveBackward<A, Radial>{batch, radial, c.device_paths, c.couplings, c.begin, c.harmonic,
                                          values_of<T>(c), in, g_out, g_in, harmonics, g_harmonics});
  });
}

#define ISOTROPE_INSTANTIATE(A)                                                                                       \
  template void couple<A>(const Convolution&, long, int, const A::Num*, A::Num*);                                     \
  template void convolve<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&);         \
  template void convolve_backward<A>(const Convolution&, const EdgeBatch<A>&, const Features<A>&, const Features<A>&, \
                                     const Features<A>&, int, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
