// SPDX-License-Identifier: MIT
// Radial basis and harmonics of edges: derivatives, formulas, smoothness, trained frequencies.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "layers/edge_embedding.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

struct EmbeddingCase : LayerCase {
  static constexpr int edges = 9, l_max = 3, count = 4, power = 6;
  static constexpr double cutoff = 3.1, on = 1.75;
  static constexpr int harmonics = (l_max + 1) * (l_max + 1);
  View<double> frequencies;
  Envelope envelope = Envelope::polynomial(power, cutoff);
  bool solid = false;
  EmbeddingCase() {
    inputs = 3 * edges;
    outputs = edges * (count + harmonics);
    std::vector<double> values;
    for (int n = 1; n <= count; ++n) values.push_back(n * std::numbers::pi / cutoff);
    frequencies = to_device("test::frequencies", values);
  }
  /// Directions at random, distances from 0.5 Å to beyond the cutoff.
  std::vector<double> point(std::uint64_t seed) const {
    std::vector<double> r = random_numbers(inputs, seed);
    for (int e = 0; e < edges; ++e) {
      const double length = std::hypot(r[3 * e], r[3 * e + 1], r[3 * e + 2]);
      for (int k = 0; k < 3; ++k) r[3 * e + k] *= (0.5 + 0.35 * e) / length;
    }
    return r;
  }
  BesselBasis basis() const { return BesselBasis::orthonormal(count, envelope, frequencies.data()); }
  template <class A>
  static Shape radial() {
    return {{edges, {{count, count}}}};
  }
  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const auto r = to_device("r", x.v), dr = to_device("dr", x.t);
    const auto values = poisoned<A>(radial<A>());
    const View<typename A::Num> y("y", edges * harmonics);
    embed_edges<A>(basis(), {l_max, -1, solid}, edges, r.data(), dr.data(), values.data(), y.data());
    Numbers out = read<A>(radial<A>(), values);
    append(out, read_numbers<A>(y));
    return out;
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const auto r = to_device("r", x.v);
    const auto g_radial = store<A>(radial<A>(), part(gy, 0, edges * count));
    const auto g_y = store_numbers<A>(part(gy, edges * count, edges * harmonics));
    const View<double> g_r("g_r", 3 * edges);
    if constexpr (!A::dual) {
      embed_edges_backward<typename A::Real>(basis(), {l_max, -1, solid}, edges, r.data(), g_radial.data(), g_y.data(),
                                             nullptr, g_r.data());
    }
    return read_numbers<Plain<double>>(g_r);
  }
};
TEST(EdgeEmbedding, Derivatives) {
  check_layer(EmbeddingCase{});
}
TEST(EdgeEmbedding, DerivativesOfSolidHarmonicsWithXplor) {
  EmbeddingCase layer;
  layer.envelope = Envelope::xplor(EmbeddingCase::on, EmbeddingCase::cutoff);
  layer.solid = true;
  check_layer(layer);
}

TEST(EdgeEmbedding, SolidHarmonicsArePowersOfTheLengthTimesHarmonics) {
  EmbeddingCase layer;
  const auto x = layer.point(1);
  const auto plain = layer.forward<Plain<double>>({}, {x, {}}).v;
  layer.solid = true;
  const auto solid = layer.forward<Plain<double>>({}, {x, {}}).v;
  for (int e = 0; e < EmbeddingCase::edges; ++e) {
    const double r = std::hypot(x[3 * e], x[3 * e + 1], x[3 * e + 2]);
    for (int l = 0; l <= EmbeddingCase::l_max; ++l) {
      for (int k = l * l; k < (l + 1) * (l + 1); ++k) {
        const long at = EmbeddingCase::edges * EmbeddingCase::count + e * EmbeddingCase::harmonics + k;
        EXPECT_LE(std::abs(solid[at] - std::pow(r, l) * plain[at]), 1e-12);
      }
    }
  }
}

/// The radial basis as a function of its frequencies: their gradient is that of weights.
struct FrequencyCase : LayerCase {
  EmbeddingCase embedding;
  FrequencyCase() {
    inputs = embedding.inputs;
    outputs = EmbeddingCase::edges * EmbeddingCase::count;
    weights = EmbeddingCase::count;
  }
  std::vector<double> point(std::uint64_t seed) const { return embedding.point(seed); }
  BesselBasis basis(const View<double>& frequencies) const {
    return {EmbeddingCase::count, embedding.envelope, 0.8, frequencies.data()};
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    const auto r = to_device("r", x.v), dr = to_device("dr", x.t), frequencies = to_device("f", w);
    const auto values = poisoned<A>(EmbeddingCase::radial<A>());
    const View<typename A::Num> y("y", EmbeddingCase::edges * EmbeddingCase::harmonics);
    embed_edges<A>(basis(frequencies), {EmbeddingCase::l_max, 1, false}, EmbeddingCase::edges, r.data(), dr.data(),
                   values.data(), y.data());
    return read<A>(EmbeddingCase::radial<A>(), values);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using T = typename A::Real;
    const auto r = to_device("r", x.v), dr = to_device("dr", x.t), frequencies = to_device("f", w);
    const auto g = store<A>(EmbeddingCase::radial<A>(), gy);
    const View<double> g_r("g_r", 3 * EmbeddingCase::edges);
    if constexpr (A::dual) {
      const auto gradient = to_device("gradient", *gw);
      frequency_gradient<T>(basis(frequencies), EmbeddingCase::edges, r.data(), dr.data(), g.data(), gradient.data());
      *gw = read_numbers<Plain<double>>(gradient).v;
    } else {
      const View<T> g_y("g_y", EmbeddingCase::edges * EmbeddingCase::harmonics);
      embed_edges_backward<T>(basis(frequencies), {EmbeddingCase::l_max, 1, false}, EmbeddingCase::edges, r.data(),
                              g.data(), g_y.data(), nullptr, g_r.data());
    }
    return read_numbers<Plain<double>>(g_r);
  }
};
TEST(EdgeEmbedding, BesselFrequencies) {
  check_layer(FrequencyCase{});
}

TEST(EdgeEmbedding, RadialBasisIsTheFormulaAndVanishesAtTheCutoff) {
  const EmbeddingCase layer;
  const auto x = layer.point(1);
  const auto y = layer.forward<Plain<double>>({}, {x, {}}).v;
  const double p = EmbeddingCase::power;
  int beyond = 0;
  for (int e = 0; e < EmbeddingCase::edges; ++e) {
    const double r = std::hypot(x[3 * e], x[3 * e + 1], x[3 * e + 2]), t = r / EmbeddingCase::cutoff;
    beyond += t >= 1;
    const double u = t >= 1 ? 0
                            : 1 - (p + 1) * (p + 2) / 2 * std::pow(t, p) + p * (p + 2) * std::pow(t, p + 1) -
                                  p * (p + 1) / 2 * std::pow(t, p + 2);
    for (int n = 1; n <= EmbeddingCase::count; ++n) {
      const double expected = std::sqrt(2 / EmbeddingCase::cutoff) * std::sin(n * std::numbers::pi * t) / r * u;
      EXPECT_LE(std::abs(y[e * EmbeddingCase::count + n - 1] - expected), 1e-14);
    }
  }
  EXPECT_EQ(beyond, 1);
}

/// 1 up to `on`, from there a polynomial of r^2 that meets it, and 0 at the cutoff, with continuous slopes.
TEST(EdgeEmbedding, XplorEnvelopeIsTheFormula) {
  const double on = 3.0, rc = 4.0;
  const Envelope envelope = Envelope::xplor(on, rc);
  EXPECT_EQ(envelope(2.9), 1);
  EXPECT_EQ(envelope(4.0), 0);
  EXPECT_EQ(envelope(4.1), 0);
  const double r = 3.3, a = rc * rc - r * r, b = rc * rc + 2 * r * r - 3 * on * on, c = rc * rc - on * on;
  EXPECT_NEAR(envelope(r), a * a * b / (c * c * c), 1e-15);
  for (const double gap : {1e-3, 1e-5}) {
    const Dual<double> near_on = envelope(Dual<double>{on + gap, 1}), near_end = envelope(Dual<double>{rc - gap, 1});
    EXPECT_LE(std::abs(near_on.v - 1), 10 * gap * gap);
    EXPECT_LE(std::abs(near_on.t), 10 * gap);
    EXPECT_LE(std::abs(near_end.v), 10 * gap * gap);
    EXPECT_LE(std::abs(near_end.t), 10 * gap);
  }
}

/// Value, slope and curvature go to zero like (1 - r/rc)^3.
TEST(EdgeEmbedding, EnvelopeIsSmoothAtTheCutoff) {
  for (const int power : {2, 5, 6}) {
    const Envelope envelope = Envelope::polynomial(power, 4.0);
    for (const double gap : {1e-2, 1e-3}) {
      const Dual<double> u = envelope(Dual<double>{4.0 - gap, 1});
      EXPECT_LE(std::abs(u.v), power * power * power * std::pow(gap / 4, 3));
      EXPECT_LE(std::abs(u.t), power * power * power * std::pow(gap / 4, 2));
    }
    EXPECT_EQ(envelope(4.0), 0);
    EXPECT_EQ(envelope(5.0), 0);
    EXPECT_GT(envelope(3.0), 0);
  }
}

}  // namespace
}  // namespace isotrope
