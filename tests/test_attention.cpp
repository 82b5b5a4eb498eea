// SPDX-License-Identifier: MIT
// The layers of TDN: derivatives of norm, gate, attention over neighbours and the embedding of the degree, with
// channels that fill lanes and channels that do not.
#include <gtest/gtest.h>

#include <cmath>

#include "layers/component_norm.hpp"
#include "layers/degree_embedding.hpp"
#include "layers/gate.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

/// Blocks l = begin ... L of C channels.
template <class A>
Layout blocks(int channels, int begin, int L) {
  Layout layout;
  for (int l = begin; l <= L; ++l) layout.add(l, channels, padded<typename A::Real>(channels));
  return layout;
}
/// Weights [rows][live] in rows of padded length.
template <class A>
View<typename A::Real> padded_rows(const std::vector<double>& w, long rows, int live) {
  using P = Plain<typename A::Real>;
  return store<P>({{rows, {{live, padded<typename A::Real>(live)}}}}, {w, {}});
}
template <class A>
std::vector<double> live_rows(const View<typename A::Real>& w, long rows, int live) {
  auto host = Kokkos::create_mirror_view(w);
  Kokkos::deep_copy(host, w);
  std::vector<double> out;
  const int pad = padded<typename A::Real>(live);
  for (long r = 0; r < rows; ++r)
    for (int c = 0; c < live; ++c) out.push_back(host(r * pad + c));
  return out;
}

// ---- atoms ------------------------------------------------------------------------------------------------

struct NormCase : LayerCase {
  static constexpr int atoms = 3, L = 2;
  int channels;
  explicit NormCase(int channels) : channels(channels) {
    inputs = dual_inputs = outputs = atoms * 9 * channels;
    weights = (L + 2) * channels;  // gains, bias
  }
  template <class A>
  ComponentNorm norm() const {
    return {0, static_cast<std::size_t>((L + 1) * padded<typename A::Real>(channels))};
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    const Layout layout = blocks<A>(channels, 0, L);
    const Shape shape = shape_of(layout, atoms);
    const auto memory = store<A>(shape, x), y = poisoned<A>(shape);
    const auto values = padded_rows<A>(w, L + 2, channels);
    normalise<A>(norm<A>(), values.data(), features<A>(layout, atoms, memory), features<A>(layout, atoms, y));
    return read<A>(shape, y);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    const Layout layout = blocks<A>(channels, 0, L);
    const Shape shape = shape_of(layout, atoms);
    const auto memory = store<A>(shape, x), g = store<A>(shape, gy), gx = zeros<A>(shape);
    const auto values = padded_rows<A>(w, L + 2, channels);
    const auto gradient = padded_rows<A>(gw ? *gw : w, L + 2, channels);
    normalise_backward<A>(norm<A>(), values.data(), features<A>(layout, atoms, memory), features<A>(layout, atoms, g),
                          features<A>(layout, atoms, gx), gw ? gradient.data() : nullptr);
    if (gw) *gw = live_rows<A>(gradient, L + 2, channels);
    return read<A>(shape, gx);
  }
};
TEST(Attention, ComponentNorm) {
  check_layer(NormCase(5));
  check_layer(NormCase(16));
}

struct GateCase : LayerCase {
  static constexpr int atoms = 3, L = 2, channels = 5;
  GateCase() {
    inputs = dual_inputs = atoms * (2 + 8) * channels;
    outputs = atoms * 9 * channels;
  }
  std::vector<double> bias = random_numbers(2 * channels, 9);
  template <class A>
  static Shape scalars() {
    const Rows::Group group{channels, padded<typename A::Real>(channels)};
    return {{atoms, {group, group}}};
  }
  template <class A, class F>
  void with_input(const Numbers& x, const F& f) const {
    const Layout higher = blocks<A>(channels, 1, L);
    const auto s = store<A>(scalars<A>(), part(x, 0, atoms * 2 * channels));
    const auto v = store<A>(shape_of(higher, atoms), part(x, atoms * 2 * channels, atoms * 8 * channels));
    const auto b = padded_rows<A>(bias, 2, channels);
    f(GateInput<A>{s.data(), features<A>(higher, atoms, v), b.data()}, s, v);
  }
  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const Layout all = blocks<A>(channels, 0, L);
    const auto u = poisoned<A>(shape_of(all, atoms));
    with_input<A>(x, [&](const GateInput<A>& in, auto, auto) { gate<A>(in, features<A>(all, atoms, u)); });
    return read<A>(shape_of(all, atoms), u);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const Layout all = blocks<A>(channels, 0, L);
    const auto g = store<A>(shape_of(all, atoms), gy);
    Numbers gx;
    with_input<A>(x, [&](const GateInput<A>& in, auto s, auto v) {
      gate_backward<A>(in, features<A>(all, atoms, g));
      gx = read<A>(scalars<A>(), s);
      append(gx, read<A>(shape_of(in.vectors.layout, atoms), v));
    });
    return gx;
  }
};
TEST(Attention, Gate) {
  check_layer(GateCase{});
}

// ---- edges ------------------------------------------------------------------------------------------------

/// Four receivers, the second without edges; seven senders, the last three of them ghosts.
const std::vector<long> first{0, 4, 4, 5, 9};
const std::vector<int> sender{1, 5, 3, 6, 0, 4, 1, 1, 2}, receiver{0, 0, 0, 0, 2, 3, 3, 3, 3};
constexpr int rows = 4, senders = 7, edges = 9;

/// What all cases of edges share: the graph, and the shapes of arrays of edges.
struct EdgeCase : LayerCase {
  AttentionShape shape;
  View<long> first_view = to_device("first", first);
  View<int> sender_view = to_device("sender", sender), receiver_view = to_device("receiver", receiver);

  EdgeCase(int channels, int heads, int L) {
    shape.channels = channels;
    shape.heads = heads;
    shape.d = (L + 1) * (L + 1);
    shape.out_end = shape.d;
  }
  int L() const { return shape.d == 4 ? 1 : 2; }
  template <class A>
  AttentionShape padded_shape() const {
    AttentionShape s = shape;
    s.pad = padded<typename A::Real>(shape.channels);
    return s;
  }
  template <class A>
  AttentionEdges<A> graph() const {
    AttentionEdges<A> e;
    e.row_end = rows;
    e.edges = edges;
    e.first = first_view.data();
    e.sender = sender_view.data();
    e.receiver = receiver_view.data();
    return e;
  }
  template <class A>
  Shape per_edge(int parts) const {
    const Rows::Group group{shape.channels, padded<typename A::Real>(shape.channels)};
    return {{edges, std::vector<Rows::Group>(parts, group)}};
  }
  /// What linear layers see of a message: all components, or two.
  template <class A>
  Shape messages() const {
    if (!shape.contracted()) return shape_of(all<A>(), edges);
    return {{2 * edges, {{shape.channels, padded<typename A::Real>(shape.channels)}}}};
  }
  template <class A>
  Shape vectors() const {
    return shape.contracted() ? per_edge<A>(1) : shape_of(higher<A>(), edges);
  }
  template <class A>
  Layout all() const {
    return blocks<A>(shape.channels, 0, L());
  }
  template <class A>
  Layout higher() const {
    return blocks<A>(shape.channels, 1, L());
  }
  long couplings() const { return static_cast<long>(edges) * shape.d * shape.d; }
};

/// Inputs: source, target, radial weights; couplings (no adjoint of these in the pass with tangents).
struct MessageCase : EdgeCase {
  long n_source, n_target, n_radial;
  MessageCase(int channels, int L, bool contracted) : EdgeCase(channels, 1, L) {
    if (contracted) shape.out_end = 1;
    n_source = static_cast<long>(senders) * shape.d * channels;
    n_target = static_cast<long>(rows) * shape.d * channels;
    n_radial = static_cast<long>(edges) * channels;
    dual_inputs = n_source + n_target + n_radial;
    inputs = dual_inputs + couplings();
    outputs = static_cast<long>(edges) * shape.message_components() * channels;
  }
  template <class A, class F>
  void with_edges(const Numbers& x, const F& f) const {
    const auto source = store<A>(shape_of(all<A>(), senders), part(x, 0, n_source));
    const auto target = store<A>(shape_of(all<A>(), rows), part(x, n_source, n_target));
    const auto radial = store<A>(per_edge<A>(1), part(x, n_source + n_target, n_radial));
    const auto matrices = store_numbers<A>(part(x, dual_inputs, couplings()));
    AttentionEdges<A> e = graph<A>();
    e.radial = radial.data();
    e.couplings = matrices.data();
    f(e, features<A>(all<A>(), senders, source), features<A>(all<A>(), rows, target));
  }
  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const auto out = poisoned<A>(messages<A>());
    with_edges<A>(x, [&](AttentionEdges<A>& e, const Features<A>& source, const Features<A>& target) {
      e.message = out.data();
      edge_messages<A>(padded_shape<A>(), e, source, target);
    });
    return read<A>(messages<A>(), out);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    using T = typename A::Real;
    const auto g = store<A>(messages<A>(), gy), g_radial = zeros<A>(per_edge<A>(1));
    const auto g_source = zeros<A>(shape_of(all<A>(), senders)), g_target = zeros<A>(shape_of(all<A>(), rows));
    const View<T> g_couplings("g_couplings", couplings());
    with_edges<A>(x, [&](AttentionEdges<A>& e, const Features<A>& source, const Features<A>& target) {
      e.message = g.data();
      AttentionAdjoint<A> adjoint;
      adjoint.radial = g_radial.data();
      adjoint.couplings = A::dual ? nullptr : g_couplings.data();
      edge_messages_backward<A>(padded_shape<A>(), e, source, target, adjoint, features<A>(all<A>(), senders, g_source),
                                features<A>(all<A>(), rows, g_target));
    });
    Numbers out = read<A>(shape_of(all<A>(), senders), g_source);
    append(out, read<A>(shape_of(all<A>(), rows), g_target));
    append(out, read<A>(per_edge<A>(1), g_radial));
    if (!A::dual) append(out, read_numbers<Plain<T>>(g_couplings));
    return out;
  }
};
TEST(Attention, Messages) {
  for (const bool contracted : {false, true}) {
    check_layer(MessageCase(5, 1, contracted));
    check_layer(MessageCase(16, 2, contracted));
  }
}

/// From what the linear layers made of messages to the sums over neighbours. Inputs: radial weights, scalars, vectors;
/// couplings and envelope. Weights: biases, score, self logits.
struct AttendCase : EdgeCase {
  long n_radial, n_scalars, n_vectors;
  AttendCase(int channels, int heads, int L, bool self, double bound) : EdgeCase(channels, heads, L) {
    shape.self = self;
    shape.bound = bound;
    n_radial = static_cast<long>(edges) * channels;
    n_scalars = 3 * n_radial;
    weights = 4 * channels + heads;
    set_outputs(0, shape.d);
  }
  void set_outputs(int begin, int end) {
    shape.out_begin = begin;
    shape.out_end = end;
    outputs = static_cast<long>(rows) * (end - begin) * shape.channels;
    n_vectors = (shape.message_components() - 1) * n_radial;
    dual_inputs = n_radial + n_scalars + n_vectors;
    inputs = dual_inputs + couplings() + edges;
  }
  std::vector<double> point(std::uint64_t seed) const {
    std::vector<double> x = random_numbers(inputs, seed);
    for (long e = inputs - edges; e < inputs; ++e) x[e] = 0.2 + std::abs(x[e]);  // the envelope
    return x;
  }
  template <class A>
  Layout out_layout() const {
    const int begin = shape.out_begin == 0 ? 0 : 1, end = shape.out_end == shape.d ? L() : shape.out_end == 4 ? 1 : 0;
    return blocks<A>(shape.channels, begin, end);
  }
  template <class A>
  struct Memory {
    using T = typename A::Real;
    View<T> radial, scalars, vectors, bias_and_score, self_logit;
    View<typename A::Num> matrices, envelope, logit, weight;
  };
  template <class A>
  AttentionWeights<typename A::Real> prepare(const std::vector<double>& w, const Numbers& x, Memory<A>& m,
                                             AttentionEdges<A>& e) const {
    const int C = shape.channels;
    m.radial = store<A>(per_edge<A>(1), part(x, 0, n_radial));
    m.scalars = store<A>(per_edge<A>(3), part(x, n_radial, n_scalars));
    m.vectors = store<A>(vectors<A>(), part(x, n_radial + n_scalars, n_vectors));
    m.matrices = store_numbers<A>(part(x, dual_inputs, couplings()));
    m.envelope = store_numbers<A>(part(x, dual_inputs + couplings(), edges));
    m.bias_and_score = padded_rows<A>(part(w, 0, 4 * C), 4, C);
    m.self_logit = padded_rows<A>(part(w, 4 * C, shape.heads), 1, shape.heads);
    m.logit = View<typename A::Num>("logit", edges * shape.heads);
    m.weight = View<typename A::Num>("weight", edges * shape.heads);
    e = graph<A>();
    e.radial = m.radial.data();
    e.scalars = m.scalars.data();
    e.vectors = m.vectors.data();
    e.couplings = m.matrices.data();
    e.envelope = shape.self ? m.envelope.data() : nullptr;
    e.logit = m.logit.data();
    e.weight = m.weight.data();
    const auto* bias = m.bias_and_score.data();
    return {bias, bias + 3 * padded_shape<A>().pad, m.self_logit.data()};
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    Memory<A> memory;
    AttentionEdges<A> e;
    const auto weights = prepare<A>(w, x, memory, e);
    const Layout layout = out_layout<A>();
    const auto out = poisoned<A>(shape_of(layout, rows));
    attention_weights<A>(padded_shape<A>(), e, weights);
    attend<A>(padded_shape<A>(), e, weights, features<A>(layout, rows, out));
    return read<A>(shape_of(layout, rows), out);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using T = typename A::Real;
    Memory<A> memory;
    AttentionEdges<A> e;
    const auto weights = prepare<A>(w, x, memory, e);
    const Layout layout = out_layout<A>();
    const auto g = store<A>(shape_of(layout, rows), gy);
    const View<T> g_couplings("g_couplings", couplings());
    const View<double> g_envelope("g_envelope", edges);
    const View<typename A::Num> g_weight("g_weight", edges * shape.heads);
    const auto g_radial = poisoned<A>(per_edge<A>(1));
    attention_weights<A>(padded_shape<A>(), e, weights);
    const auto g_scalars = poisoned<A>(per_edge<A>(3)), g_vectors = poisoned<A>(vectors<A>());
    AttentionAdjoint<A> adjoint{g_scalars.data(),
                                g_vectors.data(),
                                g_radial.data(),
                                g_weight.data(),
                                A::dual ? nullptr : g_couplings.data(),
                                A::dual ? nullptr : g_envelope.data()};
    const int C = shape.channels, pad = padded_shape<A>().pad;
    const std::vector<double> before = gw ? *gw : w;
    const auto g_rows = padded_rows<A>(part(before, 0, 4 * C), 4, C);
    const auto g_self = padded_rows<A>(part(before, 4 * C, shape.heads), 1, shape.heads);
    AttentionGradients<T> gradients;
    if (gw) gradients = {g_rows.data(), g_rows.data() + 3 * pad, g_self.data()};
    attend_backward<A>(padded_shape<A>(), e, weights, features<A>(layout, rows, g), adjoint, gradients);
    if (gw) {
      *gw = live_rows<A>(g_rows, 4, C);
      const auto self = live_rows<A>(g_self, 1, shape.heads);
      gw->insert(gw->end(), self.begin(), self.end());
    }
    Numbers out = read<A>(per_edge<A>(1), g_radial);
    append(out, read<A>(per_edge<A>(3), g_scalars));
    append(out, read<A>(vectors<A>(), g_vectors));
    if (!A::dual) {
      append(out, read_numbers<Plain<T>>(g_couplings));
      for (int k = 0; k < edges; ++k) out.v.push_back(shape.self ? g_envelope.data()[k] : 0);
    }
    return out;
  }
};
TEST(Attention, SmoothWithBoundAndSelf) {
  check_layer(AttendCase(6, 2, 1, true, 2.0));
  check_layer(AttendCase(32, 2, 1, true, 2.0));
}
TEST(Attention, PlainSoftmax) {
  check_layer(AttendCase(6, 3, 2, false, 0));
}
TEST(Attention, SomeOutputsOnly) {
  AttendCase scalars(6, 2, 2, true, 0), vectors(6, 2, 2, true, 0);
  scalars.set_outputs(0, 1);
  vectors.set_outputs(1, 4);
  check_layer(scalars);
  check_layer(vectors);
}

/// A neighbour that fades out takes its share with it; the last one leaves nothing behind, and no 0/0.
TEST(Attention, WeightsVanishWithTheEnvelope) {
  using A = Plain<double>;
  const AttendCase layer(6, 2, 1, true, 5.0);
  const std::vector<double> w = random_numbers(layer.weights, 3);
  std::vector<double> x = layer.point(4);
  for (const double f : {1e-3, 1e-9, 0.0}) {
    x[layer.inputs - edges + 4] = f;  // of the only edge of the third receiver
    const Numbers y = layer.forward<A>(w, {x, {}});
    double largest = 0;
    for (int c = 0; c < 6; ++c) largest = std::max(largest, std::abs(y.v[2 * 6 + c]));
    EXPECT_LE(largest, 1e3 * f);
    EXPECT_TRUE(f == 0 || largest > 0);
    EXPECT_TRUE(std::isfinite(dot(y.v, y.v)));
  }
}

}  // namespace
}  // namespace isotrope
