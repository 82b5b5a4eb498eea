// SPDX-License-Identifier: MIT
// Attention to neighbours: the checks that every layer has, the stated sum, smoothness at the cutoff, and how a batch
// becomes tokens.
#include "layers/neighbour_attention.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "layers/neighbour_tokens.hpp"
#include "layers/rotary.hpp"
#include "support/layer_checks.hpp"
#include "support/small_graph.hpp"

namespace isotrope {
namespace {

using namespace test;

constexpr HeadShape heads{2, 16};
constexpr int width = 32, tokens = 3, keys = 5, frequencies = 2, edges = 9;
constexpr double cutoff = 3.5, bound = 2;
const std::vector<double> omega{1.7, 0.6};
const std::vector<long> first{0, 4, 5, 9};
const std::vector<int> key{0, 1, 4, 2, 1, 2, 0, 3, 4};
const std::vector<bool> is_pair{false, true, true, true, false, false, true, true, true};

Shape rows(long count, int channels) {
  return {{count, {{channels, channels}}}};
}
const Envelope end = Envelope::polynomial(6, cutoff);

/// Of edges that are no pair r stays 0.
std::vector<double> placed(std::vector<double> r) {
  for (int e = 0; e < edges; ++e)
    for (int k = 0; k < 3 && !is_pair[e]; ++k) r[3 * e + k] = 0;
  return r;
}

/// Inputs are r, then q, then keys and values.
struct NeighbourCase : LayerCase {
  static constexpr int r_size = 3 * edges, q_size = tokens * width, kv_size = 2 * keys * width;
  NeighbourCase() { inputs = r_size + q_size + kv_size, outputs = q_size; }

  template <class A>
  struct Arrays {
    using T = typename A::Real;
    View<double> frequency = to_device("test::omega", omega), r, dr;
    View<long> begin = to_device("test::first", first);
    View<int> to = to_device("test::key", key);
    View<T> cosine = poisoned<A>(rows(edges, 8)), sine = poisoned<A>(rows(edges, 8));
    View<typename A::Num> envelope{"test::envelope", edges}, tanh{"test::tanh", 2 * edges},
        weight{"test::weight", 2 * edges}, inverse{"test::inverse", 2 * tokens};
    View<T> q, kv, o = poisoned<A>(rows(tokens, width));

    explicit Arrays(const Numbers& x)
        : r(to_device("test::r", placed(part(x.v, 0, r_size)))),
          dr(to_device("test::dr", A::dual ? placed(part(x.t, 0, r_size)) : std::vector<double>{})),
          q(store<A>(rows(tokens, width), part(x, r_size, q_size))),
          kv(store<A>(rows(keys, 2 * width), part(x, r_size + q_size, kv_size))) {
      rotary_phases<A>(edges, heads, frequencies, frequency.data(), r.data(), dr.data(), cosine.data(), sine.data());
      neighbour_envelope<A>(end, edges, r.data(), dr.data(), envelope.data());
      neighbour_attention<A>(heads, edge(), q.data(), kv.data(), o.data());
    }
    NeighbourEdges<A> edge() const {
      return {tokens,      edges,           begin.data(), to.data(),     bound,         cosine.data(),
              sine.data(), envelope.data(), tanh.data(),  weight.data(), inverse.data()};
    }
  };

  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    return read<A>(rows(tokens, width), Arrays<A>(x).o);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const Arrays<A> a(x);
    const auto g_o = store<A>(rows(tokens, width), gy), g_q = poisoned<A>(rows(tokens, width));
    const auto g_kv = zeros<A>(rows(keys, 2 * width));
    const View<double> g_envelope("test::g_envelope", edges), g_phase("test::g_phase", 8 * edges),
        g_r("test::g_r", r_size);
    NeighbourAdjoint adjoint;
    if (!A::dual) adjoint = {g_envelope.data(), g_phase.data()};
    neighbour_attention_backward<A>(heads, a.edge(), a.q.data(), a.kv.data(), g_o.data(), adjoint, g_q.data(),
                                    g_kv.data());
    rotary_phases_backward(edges, heads, frequencies, a.frequency.data(), g_phase.data(), g_r.data());
    neighbour_envelope_backward(end, edges, a.r.data(), g_envelope.data(), g_r.data());
    Numbers g{placed(read_numbers<Plain<double>>(g_r).v), {}};
    if (A::dual) g = {};
    append(g, read<A>(rows(tokens, width), g_q));
    append(g, read<A>(rows(keys, 2 * width), g_kv));
    return g;
  }
};
TEST(NeighbourAttention, Layer) {
  check_layer(NeighbourCase{});
}

/// The adjoint of the channels on duals, whose edges move; that of the edges is not wanted there.
struct NeighbourChannels : NeighbourCase {
  NeighbourChannels() { inputs = dual_inputs = q_size + kv_size; }
  Numbers with_edges(const Numbers& x) const {
    Numbers all{random_numbers(r_size, 77), x.t.empty() ? x.t : std::vector<double>(r_size, 0)};
    append(all, x);
    return all;
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    return NeighbourCase::forward<A>(w, with_edges(x));
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    const Numbers g = NeighbourCase::backward<A>(w, with_edges(x), gy, gw);
    return A::dual ? g : part(g, r_size, q_size + kv_size);
  }
};
TEST(NeighbourAttention, ChannelsOfDuals) {
  check_layer(NeighbourChannels{});
}

TEST(NeighbourAttention, IsTheStatedSum) {
  const NeighbourCase layer;
  const std::vector<double> x = layer.point(3), r = placed(part(x, 0, layer.r_size)),
                            q = part(x, layer.r_size, layer.q_size),
                            kv = part(x, layer.r_size + layer.q_size, layer.kv_size);
  std::vector<double> expected(layer.q_size, 0);
  for (int i = 0; i < tokens; ++i) {
    for (int h = 0; h < 2; ++h) {
      std::vector<double> weight;
      double total = 0;
      for (long e = first[i]; e < first[i + 1]; ++e) {
        double logit = 0;
        for (int j = 0; j < 8; ++j) {
          const double phase = j < 6 ? omega[j % 2] * r[3 * e + j / 2] : 0;
          const double *a = &q[i * width + 16 * h + j], *b = &kv[key[e] * 2 * width + 16 * h + j];
          logit += a[0] * (b[0] * std::cos(phase) - b[8] * std::sin(phase)) +
                   a[8] * (b[0] * std::sin(phase) + b[8] * std::cos(phase));
        }
        const double length =
            std::sqrt(r[3 * e] * r[3 * e] + r[3 * e + 1] * r[3 * e + 1] + r[3 * e + 2] * r[3 * e + 2]);
        const double s = length / cutoff;
        const double u = s < 1 ? 1 - 28 * std::pow(s, 6) + 48 * std::pow(s, 7) - 21 * std::pow(s, 8) : 0;
        weight.push_back(u * std::exp(bound * std::tanh(logit / bound)));
        total += weight.back();
      }
      for (long e = first[i]; e < first[i + 1]; ++e)
        for (int c = 16 * h; c < 16 * h + 16; ++c)
          expected[i * width + c] += weight[e - first[i]] / total * kv[key[e] * 2 * width + width + c];
    }
  }
  expect_close(layer.forward<Plain<double>>({}, {x, {}}).v, expected, 1e-13);
}

/// Channels a thousand times too large saturate the bound: still nothing jumps where an edge crosses the cutoff.
TEST(NeighbourAttention, IsSmoothAtTheCutoffWhateverTheWeights) {
  const NeighbourCase layer;
  std::vector<double> x = layer.point(5);
  for (int k = layer.r_size; k < layer.r_size + layer.q_size; ++k) x[k] *= 1000;
  const auto at = [&](double length) {
    x[3] = length, x[4] = 0, x[5] = 0;  // the second edge
    return layer.forward<Plain<double>>({}, {x, {}}).v;
  };
  const auto inside = at(cutoff - 1e-4), outside = at(cutoff + 1e-4);
  expect_close(inside, outside, 1e-10);  // u ~ (1e-4)^3
}

// ---- tokens --------------------------------------------------------------------------------------------------------

template <class T>
std::vector<T> host(const Buffer<T>& buffer, long size) {
  return {buffer.data(), buffer.data() + size};
}

TEST(NeighbourTokens, AtomsThenPrefixesAndLoneAtoms) {
  const Graph graph = small_graph();
  const std::vector<std::array<int, 2>> prefix{{3, 5}, {4, 5}};
  NeighbourTokens t;
  t.build(graph, prefix, 3);
  EXPECT_EQ(t.tokens,
            6 + 2 * 5);  // six atoms with a species; for each of two conditions two prefixes, three lone atoms
  EXPECT_EQ(t.keys, t.tokens + 3);
  EXPECT_EQ(t.atom, (std::vector<int>{0, 1, 3, 4, 5, 6, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(host(t.row, t.tokens), (std::vector<int>{2, 0, 2, 0, 0, 2, 3, 5, 0, 1, 2, 4, 5, 0, 1, 2}));
  EXPECT_EQ(t.lone[0], 10);  // species 2, first condition
  EXPECT_EQ(t.lone[3], 13);  // species 0, second condition
  EXPECT_TRUE(t.alone[3]);
  EXPECT_FALSE(t.alone[0]);
  EXPECT_EQ(t.key_of[7], t.tokens);  // the first ghost
  EXPECT_EQ(t.key_of[8], -1);        // of another potential
  EXPECT_EQ(t.key_of[9], t.tokens + 1);
  const auto begin = host(t.first, t.tokens + 1);
  const auto to = host(t.key, t.edges);
  const auto keys_of = [&](long token) {
    return std::vector<int>(to.begin() + begin[token], to.begin() + begin[token + 1]);
  };
  EXPECT_EQ(keys_of(0), (std::vector<int>{0, 6, 7, 1, 2, 16, 17}));
  EXPECT_EQ(keys_of(3), (std::vector<int>{3, 11, 12}));
  EXPECT_EQ(keys_of(6), (std::vector<int>{6, 7}));  // a prefix token sees no atom
  EXPECT_EQ(keys_of(13), (std::vector<int>{13, 11, 12}));
}

TEST(NeighbourTokens, OneSetOfPrefixesForEqualConditions) {
  const Graph graph = small_graph();
  const std::vector<std::array<int, 2>> prefix{{3, 5}, {3, 5}};
  NeighbourTokens t;
  t.build(graph, prefix, 3);
  EXPECT_EQ(t.tokens, 6 + 5);
}

}  // namespace
}  // namespace isotrope
