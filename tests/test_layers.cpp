// SPDX-License-Identifier: MIT
// The checks that every layer has (support/layer_checks.hpp), for the layers without angular couplings.
#include <gtest/gtest.h>

#include <cmath>

#include "layers/linear.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/readout.hpp"
#include "layers/species_embedding.hpp"
#include "support/layer_checks.hpp"
#include "support/small_graph.hpp"

namespace isotrope {
namespace {

using namespace test;

/// Rows [count][live], each padded to lanes of A.
template <class A>
Shape rows(long count, int live) {
  return {{count, {{live, padded<typename A::Real>(live)}}}};
}

// ---- linear --------------------------------------------------------------------------------------------------------

struct LinearCase : LayerCase {
  static constexpr int n = 6, in = 5, out = 19;
  LinearCase() { inputs = dual_inputs = n * in, outputs = n * out, weights = in * out; }

  template <class A>
  static Matrix matrix() {
    return {0, padded<typename A::Real>(in), padded<typename A::Real>(out)};
  }
  /// Padded rows as well as columns.
  template <class A>
  View<typename A::Real> matrix_values(const std::vector<double>& w) const {
    Numbers all{w, {}};
    all.v.resize(matrix<A>().in * out, 0);
    return store<Plain<typename A::Real>>(rows<Plain<typename A::Real>>(matrix<A>().in, out), all);
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    const Matrix m = matrix<A>();
    const auto memory = store<A>(rows<A>(n, in), x), y = poisoned<A>(rows<A>(n, out)), values = matrix_values<A>(w);
    linear_forward<A>(values.data(), m, n, memory.data(), m.in, 0, y.data(), m.out);
    return read<A>(rows<A>(n, out), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    const Matrix m = matrix<A>();
    const auto memory = store<A>(rows<A>(n, in), x), g = store<A>(rows<A>(n, out), gy);
    const auto gx = poisoned<A>(rows<A>(n, in)), values = matrix_values<A>(w);
    linear_backward<A>(values.data(), m, n, g.data(), m.out, 0, gx.data(), m.in);
    if constexpr (A::dual) {
      const auto gradient = matrix_values<A>(*gw);
      linear_weight_gradient<A>(m, n, memory.data(), m.in, g.data(), m.out, gradient.data());
      *gw = part(read<Real>(rows<Real>(m.in, out), gradient).v, 0, weights);
    }
    return read<A>(rows<A>(n, in), gx);
  }
};
TEST(Layers, Linear) {
  check_layer(LinearCase{});
}

TEST(Layers, LinearAddsWhereBetaIsOne) {
  const LinearCase layer;
  using A = Plain<double>;
  const auto w = random_numbers(layer.weights, 1), x = random_numbers(layer.inputs, 2),
             y0 = random_numbers(layer.outputs, 3);
  const auto memory = store<A>(rows<A>(layer.n, layer.in), {x, {}}),
             y = store<A>(rows<A>(layer.n, layer.out), {y0, {}});
  const auto values = layer.matrix_values<A>(w);
  const Matrix m = layer.matrix<A>();
  linear_forward<A>(values.data(), m, layer.n, memory.data(), m.in, 1, y.data(), m.out);
  expect_close(sum(read<A>(rows<A>(layer.n, layer.out), y).v, -1, y0), layer.forward<A>(w, {x, {}}).v, 1e-13);
}

// ---- activation and radial network ---------------------------------------------------------------------------------

struct ActivationCase : LayerCase {
  static constexpr int n = 7, width = 21;
  static constexpr double norm = 1.7;
  ActivationCase() { inputs = dual_inputs = outputs = n * width; }

  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const Shape shape = rows<A>(n, width);
    const auto memory = store<A>(shape, x), y = poisoned<A>(shape);
    activate<A>(n, shape[0].groups[0].pad, norm, memory.data(), y.data());
    return read<A>(shape, y);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const Shape shape = rows<A>(n, width);
    const auto memory = store<A>(shape, x), g = store<A>(shape, gy);
    activate_backward<A>(n, shape[0].groups[0].pad, norm, memory.data(), g.data(), g.data());  // in place
    return read<A>(shape, g);
  }
};
TEST(Layers, Activation) {
  check_layer(ActivationCase{});
  const std::vector<double> x = random_numbers(ActivationCase{}.inputs, 1);
  std::vector<double> expected;
  for (const double value : x) expected.push_back(ActivationCase::norm * value / (1 + std::exp(-value)));
  expect_close(ActivationCase{}.forward<Plain<double>>({}, {x, {}}).v, expected, 1e-14);
}

struct RadialCase : LayerCase {
  static constexpr int edges = 5;
  static constexpr int widths[] = {3, 9, 17, 5};  // input, two hidden layers, output
  RadialCase() {
    inputs = dual_inputs = edges * widths[0];
    outputs = edges * widths[3];
    weights = 3 * 9 + 9 * 17 + 17 * 5;
  }
  template <class A>
  static Shape input_shape() {
    return {{edges, {{widths[0], widths[0]}}}};  // the radial basis is not padded
  }
  template <class A>
  static RadialMlp mlp(std::vector<std::size_t>* places = nullptr) {
    RadialMlp mlp;
    mlp.activation_norm = 1.3;
    std::size_t at = 0;
    for (int k = 0; k < 3; ++k) {
      const int in = k == 0 ? widths[0] : padded<typename A::Real>(widths[k]);
      const int out = padded<typename A::Real>(widths[k + 1]);
      mlp.layers.push_back({at, in, out});
      for (int i = 0; places && i < widths[k]; ++i) {
        for (int j = 0; j < widths[k + 1]; ++j) places->push_back(at + i * out + j);
      }
      at += static_cast<std::size_t>(in) * out;
    }
    return mlp;
  }
  template <class A>
  View<typename A::Real> values(const std::vector<double>& w, std::vector<std::size_t>& places) const {
    const Matrix last = mlp<A>(&places).layers.back();
    std::vector<typename A::Real> all(last.at + last.in * last.out, 0);
    for (std::size_t k = 0; k < w.size(); ++k) all[places[k]] = w[k];
    return to_device("test::radial", all);
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    std::vector<std::size_t> places;
    const auto weight = values<A>(w, places), memory = store<A>(input_shape<A>(), x);
    const auto y = poisoned<A>(rows<A>(edges, widths[3]));
    RadialMlp::Scratch<A> scratch;
    mlp<A>().template forward<A>(weight.data(), edges, memory.data(), scratch, y.data());
    return read<A>(rows<A>(edges, widths[3]), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    std::vector<std::size_t> places;
    const auto weight = values<A>(w, places), memory = store<A>(input_shape<A>(), x);
    const auto y = poisoned<A>(rows<A>(edges, widths[3])), g = store<A>(rows<A>(edges, widths[3]), gy);
    const auto gx = zeros<A>(input_shape<A>());
    std::vector<std::size_t> again;
    const auto gradient = values<A>(gw ? *gw : w, again);
    RadialMlp::Scratch<A> scratch;
    mlp<A>().template forward<A>(weight.data(), edges, memory.data(), scratch, y.data());
    mlp<A>().template backward<A>(weight.data(), edges, memory.data(), scratch, g.data(), gx.data(), gradient.data());
    if (gw) {
      const Numbers stored = read_numbers<Plain<typename A::Real>>(gradient);
      for (std::size_t k = 0; k < gw->size(); ++k) (*gw)[k] = stored.v[places[k]];
    }
    return read<A>(input_shape<A>(), gx);
  }
};
TEST(Layers, RadialNetwork) {
  check_layer(RadialCase{});
}

// ---- energies ------------------------------------------------------------------------------------------------------

struct PairCase : LayerCase {
  static constexpr int species = 3, count = 5;
  DeviceGraph graph;
  PairCase() {
    graph.build(small_graph(), species);
    inputs = graph.edges * count;
    outputs = graph.rows;
    weights = species * species * count;
  }
  template <class A>
  Shape basis() const {
    return {{graph.edges, {{count, count}}}};
  }
  /// The pass with tangents reads no energies; linear in the basis, so the tangent is the energy of the tangent.
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    using T = typename A::Real;
    Numbers y{energies<T>(w, x.v), {}};
    if (A::dual) y.t = energies<T>(w, x.t);
    return y;
  }
  template <class T>
  std::vector<double> energies(const std::vector<double>& w, const std::vector<double>& x) const {
    using A = Plain<T>;
    const auto values = store_numbers<A>({w, {}}), b = store<A>(basis<A>(), {x, {}});
    const View<double> energy("energy", graph.rows);
    pair_energy<T>(graph, species, count, values.data(), b.data(), energy.data());
    return read_numbers<Plain<double>>(energy).v;
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    const auto values = store_numbers<Real>({w, {}}), b = store<A>(basis<A>(), x), g = zeros<A>(basis<A>());
    const auto seed = store_numbers<A>(gy);
    const auto gradient = store_numbers<Real>({gw ? *gw : w, {}});
    pair_energy_backward<A>(graph, species, count, values.data(), b.data(), seed.data(), g.data(), gradient.data());
    if (gw) *gw = read_numbers<Real>(gradient).v;
    return read<A>(basis<A>(), g);
  }
};
TEST(Layers, PairEnergy) {
  check_layer(PairCase{});
}

TEST(Layers, SeedsAndColumns) {
  using D = WithTangent<double>;
  DeviceGraph graph;
  const Graph host = small_graph();
  graph.build(host, 3);
  graph.set_tangent(host, std::vector<Vec3>(host.edges()), std::vector<double>{0.5, -3});
  const auto scale = to_device("scale", std::vector<double>{2, 3, 7});
  const View<Dual<double>> seed("seed", graph.rows);
  seed_energies<D>(graph, scale.data(), seed.data());
  const Numbers seeds = read_numbers<D>(seed);
  for (int row = 0; row < graph.rows; ++row) {
    const int atom = graph.order[row];
    const double s = host.species[atom] == 0 ? 2 : 7;
    EXPECT_EQ(seeds.v[row], s);
    EXPECT_EQ(seeds.t[row], s * (host.graph[atom] == 0 ? 0.5 : -3));
  }
  const Shape columns{{graph.rows, {{1, 4}}}};  // read() checks that the other columns are zero
  const auto y = poisoned<D>(columns);
  seed_column<D>(graph.rows, seed.data(), 4, y.data());
  const Numbers written = read<D>(columns, y);
  expect_close(written.v, seeds.v, 0);
  expect_close(written.t, seeds.t, 0);
  const auto energy = to_device("energy", seeds.t);
  add_column<double>(graph.rows, y.data(), 8, energy.data());
  expect_close(read_numbers<Plain<double>>(energy).v, sum(seeds.v, 1, seeds.t), 1e-15);
}

// ---- species embedding ---------------------------------------------------------------------------------------------

struct SpeciesCase : LayerCase {
  static constexpr int species = 3, channels = 11;
  DeviceGraph graph;
  SpeciesCase() {
    graph.build(host_without_ghosts(), species);
    weights = species * channels;
    outputs = graph.rows * channels;
  }
  /// The pass with tangents has none.
  static Graph host_without_ghosts() {
    Graph host = small_graph();
    host.total = host.owned;
    host.species.resize(host.total);
    for (int& j : host.neighbour) j %= 2;
    return host;
  }
  template <class A>
  static Layout layout() {
    Layout layout;
    layout.add(0, channels, padded<typename A::Real>(channels));
    return layout;
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers&) const {
    using Real = Plain<typename A::Real>;
    const auto values = store<Real>(shape_of(layout<A>(), species), {w, {}});
    const auto table = poisoned<A>(shape_of(layout<A>(), species)),
               out = poisoned<A>(shape_of(layout<A>(), graph.rows));
    species_table<A>(values.data(), features<A>(layout<A>(), species, table));
    expand_species<A>(graph, features<A>(layout<A>(), species, table), features<A>(layout<A>(), graph.rows, out));
    return read<A>(shape_of(layout<A>(), graph.rows), out);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers&, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    const auto g = store<A>(shape_of(layout<A>(), graph.rows), gy);
    const auto g_table = poisoned<A>(shape_of(layout<A>(), species));
    const auto gradient = store<Real>(shape_of(layout<A>(), species), {*gw, {}});
    expand_species_backward<A>(graph, features<A>(layout<A>(), graph.rows, g),
                               features<A>(layout<A>(), species, g_table));
    species_table_gradient<A>(features<A>(layout<A>(), species, g_table), gradient.data());
    *gw = read<Real>(shape_of(layout<A>(), species), gradient).v;
    return {};
  }
};
TEST(Layers, SpeciesEmbedding) {
  check_layer(SpeciesCase{});
}

TEST(Layers, SpeciesTableReachesGhostsAndAllBlocks) {
  using A = Plain<float>;
  DeviceGraph graph;
  const Graph host = small_graph();
  graph.build(host, 3);
  Layout layout;
  layout.add(0, 3, padded<float>(3));
  layout.add(1, 5, padded<float>(5));
  const Shape table_shape = shape_of(layout, 3), shape = shape_of(layout, graph.senders);
  const auto values = random_numbers(live_size(table_shape), 9);
  const auto table = store<A>(table_shape, {values, {}}), out = poisoned<A>(shape);
  expand_species<A>(graph, features<A>(layout, 3, table), features<A>(layout, graph.senders, out));
  const auto found = read<A>(shape, out).v;
  for (int row = 0; row < graph.senders; ++row) {
    const int s = host.species[graph.order[row]];
    for (int c = 0; c < 3; ++c) EXPECT_EQ(found[row * 3 + c], static_cast<float>(values[s * 3 + c]));
    for (int c = 0; c < 15; ++c) {
      EXPECT_EQ(found[graph.senders * 3 + row * 15 + c], static_cast<float>(values[9 + s * 15 + c]));
    }
  }
}

}  // namespace
}  // namespace isotrope
