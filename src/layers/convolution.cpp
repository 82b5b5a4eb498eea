// SPDX-License-Identifier: MIT
#include "layers/convolution.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/lane_transpose.hpp"
#include "core/loops.hpp"
#include "layers/edge_lane.hpp"
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

SparseSums::SparseSums(const std::vector<std::vector<Term>>& numbers) {
  std::vector<int> ends{0}, indices;
  std::vector<double> factors;
  for (const std::vector<Term>& terms : numbers) {
    for (const Term& term : terms) {
      indices.push_back(term.index);
      factors.push_back(term.value);
    }
    ends.push_back(static_cast<int>(indices.size()));
  }
  begin = to_device("isotrope::sparse_sums::begin", ends);
  index = to_device("isotrope::sparse_sums::index", indices);
  value = to_device("isotrope::sparse_sums::value", factors);
  single_value = to_device("isotrope::sparse_sums::value", std::vector<float>(factors.begin(), factors.end()));
}

Convolution::Convolution(const Layout& in, int l_max) : Convolution(in, natural_parity_paths(in, l_max), l_max + 1) {}

Convolution::Convolution(const Layout& in, std::vector<ConvolutionPath> wanted, int out_blocks)
    : paths(std::move(wanted)) {
  std::vector<std::vector<SparseSums::Term>> coupling_terms;
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
    coupling_terms.resize(p.coupling + d1 * d3);
    const std::vector<double>& w3j = wigner_3j(p.l1, p.l2, p.l3);
    for (int m3 = 0; m3 < d3; ++m3) {
      for (int m1 = 0; m1 < d1; ++m1) {
        for (int m2 = 0; m2 < d2; ++m2) {
          const double c = std::sqrt(static_cast<double>(d3)) * w3j[(m1 * d2 + m2) * d3 + m3];
          if (std::abs(c) < 1e-14) continue;
          coupling_terms[p.coupling + m3 * d1 + m1].push_back({p.l2 * p.l2 + m2, c});
        }
      }
    }
  }
  for (int b = 0; b < out_blocks; ++b) out.add(ls[b], muls[b], pads[b]);
  bool in_order = true;
  for (std::size_t k = 0; k < paths.size(); ++k) {
    in_order = in_order && paths[k].l1 == 0 && paths[k].l2 == static_cast<int>(k);
  }
  couplings_are_harmonics = in_order;
  from_harmonics = SparseSums(coupling_terms);
  for (auto& terms : coupling_terms) {
    std::erase_if(terms, [](const SparseSums::Term& term) { return term.index == 0; });
  }
  to_harmonics = SparseSums(coupling_terms);
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

/// Of the numbers of n edges, [edge][count], a lane of those from `wanted` on: a lane of edges for each.
template <class T>
KOKKOS_INLINE_FUNCTION void load_edges(const T* numbers, int count, int n, int wanted, Lane<T>* of_edges) {
  constexpr int w = lane_width<T>;
  // The last lane of numbers begins where it ends with them.
  const int from = wanted + w <= count ? wanted : count - w;
  Lane<T> square[w];
  for (int e = 0; e < w; ++e) {
    const T* row = numbers + (e < n ? e : 0) * count + from;
    square[e] = from >= 0 ? load_lane(row) : lane_of<T>([&](int k) { return k < -from ? T(0) : row[k]; });
  }
  transpose_square<T>(square);
  for (int k = wanted; k < wanted + w && k < count; ++k) of_edges[k - wanted] = square[k - from];
}

/// A lane of edges at a time: indices and values of the 3j symbols are read once for all of them.
template <class T>
struct CoupleLanes {
  static constexpr int w = lane_width<T>, most_harmonics = (Convolution::l_limit + 1) * (Convolution::l_limit + 1);
  long edges;
  int couplings, harmonics;
  View<int> begin, harmonic;
  View<T> value;
  const T* y;
  T* out;
  KOKKOS_FUNCTION void operator()(long lane) const {
    const EdgeLane<T> at(lane, edges);
    Lane<T> of_edges[most_harmonics];
    for (int k = 0; k < harmonics; k += w) load_edges(y + at.first * harmonics, harmonics, at.n, k, of_edges + k);
    // A lane of couplings at a time; the last one begins where it ends with them.
    for (int k = 0; k < couplings; k += w) some_couplings(of_edges, at, k + w <= couplings ? k : couplings - w);
  }

  KOKKOS_INLINE_FUNCTION void some_couplings(const Lane<T>* of_edges, const EdgeLane<T>& at, int from) const {
    Lane<T> sums[w];
    for (int k = 0; k < w; ++k) sums[k] = from + k < 0 ? Lane<T>(T(0)) : sum(of_edges, from + k);
    transpose_square<T>(sums);
    for (int e = 0; e < at.n; ++e) {
      T* const row = out + (at.first + e) * couplings + from;
      if (from >= 0) {
        store_lane(row, sums[e]);
      } else {  // fewer than a lane of them
        T numbers[w];
        store_lane(numbers, sums[e]);
        for (int k = -from; k < w; ++k) row[k] = numbers[k];
      }
    }
  }

  KOKKOS_INLINE_FUNCTION Lane<T> sum(const Lane<T>* of_edges, int k) const {
    Lane<T> sum(T(0));
    for (int m = begin(k); m < begin(k + 1); ++m) sum += value(m) * of_edges[harmonic(m)];
    return sum;
  }
};

/// The same way back.
template <class T>
struct CoupleLanesBackward {
  static constexpr int w = lane_width<T>,
                       most_harmonics = padded<T>((Convolution::l_limit + 1) * (Convolution::l_limit + 1));
  long edges;
  int couplings, harmonics;
  View<int> begin, harmonic;
  View<T> value;
  const T* g_couplings;
  T* g_y;
  KOKKOS_FUNCTION void operator()(long lane) const {
    const EdgeLane<T> at(lane, edges);
    Lane<T> sums[most_harmonics];
    for (int k = 0; k < most_harmonics; ++k) sums[k] = Lane<T>(T(0));
    for (int k = 0; k < couplings; k += w) some_couplings(at, k, sums);
    for (int from = 0; from < harmonics; from += w) {
      transpose_square<T>(sums + from);
      for (int e = 0; e < at.n; ++e) {
        T numbers[w];
        store_lane(numbers, sums[from + e]);
        T* const row = g_y + (at.first + e) * harmonics + from;
        for (int k = 0; k < w && from + k < harmonics; ++k) row[k] += numbers[k];
      }
    }
  }

  KOKKOS_INLINE_FUNCTION void some_couplings(const EdgeLane<T>& at, int from, Lane<T>* sums) const {
    Lane<T> of_edges[w];
    load_edges(g_couplings + at.first * couplings, couplings, at.n, from, of_edges);
    for (int k = from; k < from + w && k < couplings; ++k) {
      for (int m = begin(k); m < begin(k + 1); ++m) sums[harmonic(m)] += value(m) * of_edges[k - from];
    }
  }
};

}  // namespace

template <class A>
void couple(const Convolution& c, long edges, int harmonics, const typename A::Num* y, typename A::Num* couplings) {
  const SparseSums& sums = c.from_harmonics;
  if constexpr (A::dual) {
    for_each("isotrope::couple", edges,
             Couple<A>{c.couplings, harmonics, sums.begin, sums.index, sums.value, y, couplings});
  } else {
    using T = typename A::Real;
    for_each("isotrope::couple", EdgeLane<T>::count(edges),
             CoupleLanes<T>{edges, c.couplings, harmonics, sums.begin, sums.index, sums.values<T>(), y, couplings});
  }
}

template <class T>
void couple_backward(const Convolution& c, long edges, int harmonics, const T* g_couplings, T* g_harmonics) {
  const SparseSums& sums = c.to_harmonics;
  for_each("isotrope::couple_backward", EdgeLane<T>::count(edges),
           CoupleLanesBackward<T>{edges, c.couplings, harmonics, sums.begin, sums.index, sums.values<T>(), g_couplings,
                                  g_harmonics});
}

template void couple_backward<float>(const Convolution&, long, int, const float*, float*);
template void couple_backward<double>(const Convolution&, long, int, const double*, double*);
template void couple<Plain<float>>(const Convolution&, long, int, const float*, float*);
template void couple<Plain<double>>(const Convolution&, long, int, const double*, double*);
template void couple<WithTangent<float>>(const Convolution&, long, int, const Dual<float>*, Dual<float>*);
template void couple<WithTangent<double>>(const Convolution&, long, int, const Dual<double>*, Dual<double>*);

}  // namespace isotrope
