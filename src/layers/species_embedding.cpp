// SPDX-License-Identifier: MIT
#include "layers/species_embedding.hpp"

#include "core/loops.hpp"

namespace isotrope {
namespace {

template <class A>
struct LoadTable {
  int pad;
  const typename A::Real* weights;
  Features<A> table;
  KOKKOS_FUNCTION void operator()(long s) const {
    for (int c = 0; c < pad; ++c) {
      table.at(0, s, 0)[c] = weights[s * pad + c];
      if constexpr (A::dual) table.at(0, s, 0)[pad + c] = 0;
    }
  }
};

template <class A>
struct TableGradient {
  int pad;
  Features<A> g_table;
  typename A::Real* weight_gradient;
  KOKKOS_FUNCTION void operator()(long s) const {
    for (int c = 0; c < pad; ++c) weight_gradient[s * pad + c] += g_table.at(0, s, 0)[pad + c];
  }
};

template <class A>
struct Expand {
  using T = typename A::Real;
  const int* species;
  int block, d, pad;
  Features<A> table, out;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const T* from = table.at(block, species[i], 0) + b * lane_width<T>;
    T* to = out.at(block, i, 0) + b * lane_width<T>;
    for (int m = 0; m < d; ++m) A::store(to + m * pad * A::rows, pad, A::load(from + m * pad * A::rows, pad));
  }
};

template <class A>
struct ExpandBackward {
  using T = typename A::Real;
  int row_begin, row_end, s, block, d, pad;
  Features<A> g, g_table;
  KOKKOS_FUNCTION void operator()(int, int b) const {
    for (int m = 0; m < d; ++m) {
      typename A::Vec sum = A::zero();
      for (int i = row_begin; i < row_end; ++i) sum += A::load(g.at(block, i, m) + b * lane_width<T>, pad);
      A::store(g_table.at(block, s, m) + b * lane_width<T>, pad, sum);
    }
  }
};

}  // namespace

template <class A>
void species_table(const typename A::Real* weights, const Features<A>& table) {
  for_each("isotrope::species_table", table.atoms, LoadTable<A>{table.layout.block[0].pad, weights, table});
}

template <class A>
void species_table_gradient([[maybe_unused]] const Features<A>& g_table,
                            [[maybe_unused]] typename A::Real* weight_gradient) {
  if constexpr (A::dual) {
    for_each("isotrope::species_table_gradient", g_table.atoms,
             TableGradient<A>{g_table.layout.block[0].pad, g_table, weight_gradient});
  }
}

template <class A>
void expand_species(const DeviceGraph& graph, const Features<A>& table, const Features<A>& out, int begin) {
  for (int b = 0; b < out.layout.count; ++b) {
    const Layout::Block& block = out.layout.block[b];
    for_channels("isotrope::expand_species", out.atoms, block.pad / lane_width<typename A::Real>,
                 Expand<A>{graph.species.data() + begin, b, 2 * block.l + 1, block.pad, table, out});
  }
}

template <class A>
void expand_species_backward(const DeviceGraph& graph, const Features<A>& g, const Features<A>& g_table) {
  const std::vector<int> segment = graph.segment_of({0, graph.rows});
  for (std::size_t s = 0; s + 1 < segment.size(); ++s) {
    for (int b = 0; b < g.layout.count; ++b) {
      const Layout::Block& block = g.layout.block[b];
      for_channels("isotrope::expand_species_backward", 1, block.pad / lane_width<typename A::Real>,
                   ExpandBackward<A>{segment[s], segment[s + 1], static_cast<int>(s), b, 2 * block.l + 1, block.pad, g,
                                     g_table});
    }
  }
}

#define ISOTROPE_INSTANTIATE(A)                                                                     \
  template void species_table<A>(const A::Real*, const Features<A>&);                               \
  template void species_table_gradient<A>(const Features<A>&, A::Real*);                            \
  template void expand_species<A>(const DeviceGraph&, const Features<A>&, const Features<A>&, int); \
  template void expand_species_backward<A>(const DeviceGraph&, const Features<A>&, const Features<A>&);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
