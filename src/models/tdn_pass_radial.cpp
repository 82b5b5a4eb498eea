// SPDX-License-Identifier: MIT
// The part of TdnPass that evaluates radial weights. They are functions of the length alone, which both directions of a
// pair share: a network is evaluated once a pair where what it gives for the whole graph fits into a bound, else edge
// by edge for the chunk at hand. A pass that ends in dE/dr evaluates it over duals, whose tangents are the slopes, and
// has no adjoint of it to form.
#include "layers/channels.hpp"
#include "models/tdn_pass.hpp"

namespace isotrope {
namespace {

template <class A>
struct GatherLengths {
  const int* edge;
  const Length<A>* length;
  Length<A>* out;
  KOKKOS_FUNCTION void operator()(long p) const { out[p] = length[edge[p]]; }
};

struct LengthsAsVariables {
  const double* length;
  Dual<double>* out;
  KOKKOS_FUNCTION void operator()(long p) const { out[p] = {length[p], 1}; }
};

/// Adjoints of the edges of a pair add up.
template <class A>
struct AddToPairs {
  using T = typename A::Real;
  int pad;
  const int* row;
  const T* g;
  T* sum;
  KOKKOS_FUNCTION void operator()(int k, int b) const {
    const int c = b * lane_width<T>;
    const long from = static_cast<long>(k) * pad * A::rows + c, to = static_cast<long>(row[k]) * pad * A::rows + c;
    scatter<A>(sum + to, pad, A::load(g + from, pad));
  }
};

/// g_length += the adjoint of the radial weights times their slopes, which lie after them.
template <class T>
struct AlongSlopes {
  AttentionEdges<Plain<T>> e;
  int pad;
  const T* g_radial;
  double* g_length;
  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team, int k) const {
    const T *g = g_radial + static_cast<long>(k) * pad, *slope = e.radial_of(k, pad) + pad;
    Lane<T> sum(T(0));
    team.for_blocks(pad / lane_width<T>,
                    [&](int b) { sum += load_lane(g + b * lane_width<T>) * load_lane(slope + b * lane_width<T>); });
    const T total = team.sum(sum);
    team.once([&] { g_length[e.edge_begin + k] += total; });
  }
};

}  // namespace

template <class A>
void TdnPass<A>::prepare_radial() {
  auto& radial = arrays_.radial;
  radial.slopes = purpose_.edges && !tabulated();
  const long rows = A::rows * (radial.slopes ? 2 : 1), networks = c_.shape->layers + 2;
  radial.paired = !tabulated() && graph_.edges * (c_.plan->gaussians.pad + pad_) * rows <= arrays_.most_kept;
  radial.scratch.resize(networks);
  if (!radial.paired) return;
  radial.pairs.build(graph_, A::dual);
  const long count = radial.pairs.count;
  for_each("isotrope::tdn::gather_lengths", count,
           GatherLengths<A>{radial.pairs.edge.data(), arrays_.length.data(), radial.length.reserve(count)});
  basis_functions(count, radial.length.data());
}

/// Of some lengths, in radial.gaussians.
template <class A>
void TdnPass<A>::basis_functions(long count, const Length<A>* length) {
  auto& radial = arrays_.radial;
  const GaussianBasis& basis = c_.plan->gaussians;
  if constexpr (!A::dual) {
    if (radial.slopes) {
      Dual<double>* variable = radial.variable.reserve(count);
      for_each("isotrope::tdn::lengths_as_variables", count, LengthsAsVariables{length, variable});
      gaussians<WithTangent<T>>(basis, c_.weights, count, variable, radial.gaussians.reserve(2 * count * basis.pad));
      return;
    }
  }
  gaussians<A>(basis, c_.weights, count, length, radial.gaussians.reserve(count * basis.pad * A::rows));
}

/// The network over rows [0, count) of the basis functions.
template <class A>
void TdnPass<A>::evaluate_network(const NormedMlp& network, int table, long count, T* out) {
  auto& radial = arrays_.radial;
  if constexpr (!A::dual) {
    if (radial.slopes) {
      network.template forward<WithTangent<T>>(c_.weights, count, radial.gaussians.data(), radial.slope_scratch, out);
      return;
    }
  }
  network.template forward<A>(c_.weights, count, radial.gaussians.data(), scratch_of(table), out);
}

/// Where the hidden layers of a network lie: each has its own where they are kept for the adjoint.
template <class A>
typename NormedMlp::Scratch<A>& TdnPass<A>::scratch_of(int table) {
  return arrays_.radial.scratch[arrays_.kept ? table : 0];
}

/// Of all pairs, before the chunks; else there is nothing to do yet.
template <class A>
void TdnPass<A>::radial_weights(const NormedMlp& network, int table, Buffer<T>& out) {
  const auto& radial = arrays_.radial;
  if (!radial.paired) return;
  const long rows = A::rows * (radial.slopes ? 2 : 1);
  evaluate_network(network, table, radial.pairs.count, out.reserve(radial.pairs.count * pad_ * rows));
}

/// Sets where the chunk's radial weights lie in `buffer`, from its number `at` on where there are no pairs.
template <class A>
void TdnPass<A>::place_radial(Buffer<T>& buffer, long all, long start, AttentionEdges<A>& e) {
  const auto& radial = arrays_.radial;
  e.radial_stride = radial.slopes ? 2 : 1;
  if (radial.paired) {
    e.radial = buffer.data();
    e.radial_row = radial.pairs.of_edge.data();
  } else {
    const long row = static_cast<long>(pad_) * A::rows * e.radial_stride;
    e.radial = buffer.reserve(all * row) + start * row;
  }
}

/// Of the chunk's edges, where there are no pairs.
template <class A>
void TdnPass<A>::chunk_radial_weights(const NormedMlp& network, int table, const AttentionEdges<A>& e) {
  if (arrays_.radial.paired) return;
  if (tabulated()) {
    (*c_.tables)[table]->evaluate(e.edges, graph_.r.data() + 3 * e.edge_begin, e.radial);
    return;
  }
  basis_functions(e.edges, arrays_.length.data() + e.edge_begin);
  evaluate_network(network, table, e.edges, e.radial);
}

/// Adjoints of the basis functions of pairs add up over the networks.
template <class A>
void TdnPass<A>::begin_radial_gradients() {
  auto& radial = arrays_.radial;
  if (radial.paired && !radial.slopes) radial.g_gaussians.zeros(radial.pairs.count * c_.plan->gaussians.pad * A::rows);
}
template <class A>
void TdnPass<A>::end_radial_gradients() {
  auto& radial = arrays_.radial;
  if (!radial.paired || radial.slopes) return;
  gaussians_weight_gradient<A>(c_.plan->gaussians, c_.weights, radial.pairs.count, radial.length.data(),
                               radial.g_gaussians.data(), weight_gradient_);
}

/// Before the chunks of the adjoint: room for sums over pairs, and hidden layers where others have written over them.
template <class A>
void TdnPass<A>::begin_radial_backward(const NormedMlp& network, int table, Buffer<T>& out) {
  auto& radial = arrays_.radial;
  if (!radial.paired || radial.slopes) return;
  radial.g_sum.zeros(radial.pairs.count * pad_ * A::rows);
  if (!arrays_.kept) radial_weights(network, table, out);
}

/// From the chunk's adjoint in g_radial.
template <class A>
void TdnPass<A>::chunk_radial_backward(const NormedMlp& network, int table, const AttentionEdges<A>& e) {
  auto& radial = arrays_.radial;
  const T* g = arrays_.g_radial.data();
  if constexpr (!A::dual) {
    if (tabulated()) {
      (*c_.tables)[table]->backward(e.edges, graph_.r.data() + 3 * e.edge_begin, g,
                                    arrays_.g_length.data() + e.edge_begin);
      return;
    }
    if (radial.slopes) {
      for_teams("isotrope::tdn::along_slopes", static_cast<int>(e.edges),
                AlongSlopes<T>{e, pad_, g, arrays_.g_length.data()});
      return;
    }
  }
  if (radial.paired) {
    for_channels("isotrope::tdn::add_to_pairs", static_cast<int>(e.edges), pad_ / lane_width<T>,
                 AddToPairs<A>{pad_, e.radial_row + e.edge_begin, g, radial.g_sum.data()});
    return;
  }
  const GaussianBasis& basis = c_.plan->gaussians;
  T* g_basis = radial.g_gaussians.zeros(e.edges * basis.pad * A::rows);
  network.template backward<A>(c_.weights, e.edges, radial.gaussians.data(), scratch_of(table), g, g_basis,
                               weight_gradient_);
  gaussians_weight_gradient<A>(basis, c_.weights, e.edges, arrays_.length.data() + e.edge_begin, g_basis,
                               weight_gradient_);
}

/// After the chunks: gradients of the network's weights.
template <class A>
void TdnPass<A>::end_radial_backward(const NormedMlp& network, int table) {
  auto& radial = arrays_.radial;
  if (!radial.paired || radial.slopes) return;
  network.template backward<A>(c_.weights, radial.pairs.count, radial.gaussians.data(), scratch_of(table),
                               radial.g_sum.data(), radial.g_gaussians.data(), weight_gradient_);
}

template class TdnPass<Plain<float>>;
template class TdnPass<Plain<double>>;
template class TdnPass<WithTangent<float>>;
template class TdnPass<WithTangent<double>>;

}  // namespace isotrope
