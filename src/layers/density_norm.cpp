// SPDX-License-Identifier: MIT
#include "layers/density_norm.hpp"

#include "layers/channels.hpp"

namespace isotrope {
namespace {

/// One edge: q, and tanh(q^2).
template <class A>
struct EdgeDensity {
  using Num = typename A::Num;
  Num q, value;

  KOKKOS_INLINE_FUNCTION EdgeDensity(const DensityInput<A>& input, long e) : q{}, value{} {
    using std::tanh;
    for (int n = 0; n < input.count; ++n) q += basis(input, e, n) * input.weights[n];
    value = tanh(q * q);
  }
  KOKKOS_INLINE_FUNCTION static Num basis(const DensityInput<A>& input, long e, int n) {
    const auto* row = input.basis + e * input.count * A::rows;
    if constexpr (A::dual) {
      return {row[n], row[input.count + n]};
    } else {
      return row[n];
    }
  }
};

template <class A>
struct Density {
  using T = typename A::Real;
  DensityInput<A> input;
  const long* first;
  typename A::Num* density;
  KOKKOS_FUNCTION void operator()(long i) const {
    typename A::Num sum{};
    for (long e = first[i]; e < first[i + 1]; ++e) {
      const typename A::Num value = EdgeDensity<A>(input, e).value;
      sum += input.envelope ? value * input.envelope[e] : value;
    }
    density[i] = sum + T(1);
  }
};

template <class A>
struct Divide {
  using T = typename A::Real;
  int block, d, pad;
  const typename A::Num* density;
  Features<A> x;
  KOKKOS_FUNCTION void operator()(int i, int b) const {
    const typename A::Vec inverse = spread<A>(T(1) / density[i]);
    for (int m = 0; m < d; ++m) {
      T* p = x.at(block, i, m) + b * lane_width<T>;
      A::store(p, pad, A::load(p, pad) * inverse);
    }
  }
};

template <class A>
struct DivideBackward {
  using T = typename A::Real;
  const typename A::Num* density;
  Features<A> y, g;
  typename A::Num* g_density;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int i) const {
    const typename A::Num inverse = T(1) / density[i];
    typename A::Vec sum = A::zero();
    for (int k = 0; k < g.layout.count; ++k) {
      const Layout::Block& block = g.layout.block[k];
      for (int m = 0; m < 2 * block.l + 1; ++m) {
        team.for_blocks(block.pad / lane_width<T>, [&](int b) {
          T* p = g.at(k, i, m) + b * lane_width<T>;
          const typename A::Vec g_y = A::load(p, block.pad);
          sum += g_y * A::load(y.at(k, i, m) + b * lane_width<T>, block.pad);
          A::store(p, block.pad, g_y * spread<A>(inverse));
        });
      }
    }
    const typename A::Num total = team_sum<A>(team, sum);
    team.once([&] { g_density[i] = -(total * inverse); });
  }
};

template <class A>
struct DensityBackward {
  using T = typename A::Real;
  using Num = typename A::Num;
  DensityInput<A> input;
  long edge_begin;
  int row_begin;
  const int* receiver;
  const Num* g_density;
  T* g_basis;
  double* g_envelope;
  T* weight_gradient;
  KOKKOS_FUNCTION void operator()(long k) const {
    const long e = edge_begin + k;
    const EdgeDensity<A> edge(input, e);
    Num g = g_density[receiver[e] - row_begin];
    if (input.envelope) {
      if constexpr (!A::dual) g_envelope[e] += static_cast<double>(g * edge.value);
      g = g * input.envelope[e];
    }
    const Num g_q = g * (T(1) - edge.value * edge.value) * edge.q * T(2);
    for (int n = 0; n < input.count; ++n) {
      if constexpr (A::dual) {  // the dual pass ends at the edges: only the weights want their gradient
        add_shared(weight_gradient + n, Num(g_q * EdgeDensity<A>::basis(input, e, n)).t);
      } else {
        g_basis[e * input.count + n] += g_q * input.weights[n];
      }
    }
  }
};

}  // namespace

template <class A>
void neighbour_density(const DeviceGraph& graph, const RowRange& block, const DensityInput<A>& input,
                       typename A::Num* density) {
  for_each("isotrope::neighbour_density", block.count(), Density<A>{input, graph.first.data() + block.begin, density});
}

template <class A>
void divide_by_density(const typename A::Num* density, const Features<A>& x) {
  for (int k = 0; k < x.layout.count; ++k) {
    const Layout::Block& block = x.layout.block[k];
    for_channels("isotrope::divide_by_density", static_cast<int>(x.atoms), block.pad / lane_width<typename A::Real>,
                 Divide<A>{k, 2 * block.l + 1, block.pad, density, x});
  }
}

template <class A>
void divide_by_density_backward(const typename A::Num* density, const Features<A>& y, const Features<A>& g,
                                typename A::Num* g_density) {
  for_teams("isotrope::divide_by_density_backward", static_cast<int>(g.atoms),
            DivideBackward<A>{density, y, g, g_density});
}

template <class A>
void neighbour_density_backward(const DeviceGraph& graph, const RowRange& block, const DensityInput<A>& input,
                                const typename A::Num* g_density, typename A::Real* g_basis, double* g_envelope,
                                typename A::Real* weight_gradient) {
  const long begin = graph.host_first[block.begin], end = graph.host_first[block.end];
  for_each("isotrope::neighbour_density_backward", end - begin,
           DensityBackward<A>{input, begin, block.begin, graph.receiver.data(), g_density, g_basis, g_envelope,
                              weight_gradient});
}

#define ISOTROPE_INSTANTIATE(A)                                                                                \
  template void neighbour_density<A>(const DeviceGraph&, const RowRange&, const DensityInput<A>&, A::Num*);    \
  template void divide_by_density<A>(const A::Num*, const Features<A>&);                                       \
  template void divide_by_density_backward<A>(const A::Num*, const Features<A>&, const Features<A>&, A::Num*); \
  template void neighbour_density_backward<A>(const DeviceGraph&, const RowRange&, const DensityInput<A>&,     \
                                              const A::Num*, A::Real*, double*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
