// SPDX-License-Identifier: MIT
// The layers of the Transformer: the checks that every layer has, attention beside a loop over pairs, and that the size
// of its blocks does not matter.
#include "layers/attention.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "layers/in_duals.hpp"
#include "layers/rms_norm.hpp"
#include "layers/rotary.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

Shape unpadded(long count, int width) {
  return {{count, {{width, width}}}};
}
/// Rows [count][live], each padded to lanes of A.
template <class A>
Shape rows(long count, int live) {
  return {{count, {{live, padded<typename A::Real>(live)}}}};
}
std::vector<double> joined(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

/// Keys and values, and after them the rows that products may read and nothing may come of.
template <class A>
auto store_keys(int tokens, int width, Numbers x) {
  constexpr int spare = spare_keys<typename A::Real>;
  const std::vector<double> nonsense(static_cast<std::size_t>(spare) * 2 * width,
                                     std::numeric_limits<double>::quiet_NaN());
  append(x, {nonsense, A::dual ? nonsense : std::vector<double>{}});
  return store<A>(unpadded(tokens + spare, 2 * width), x);
}

// ---- attention -----------------------------------------------------------------------------------------------------

/// Two structures, of 3 and 5 tokens; inputs are q, then keys and values. Heads of 6 channels have their weights kept
/// for the way back, those of 2 have them computed again.
struct AttentionCase : LayerCase {
  static constexpr int tokens = 8;
  HeadShape heads;
  int width;
  bool values_there = false;  ///< duals find the values of a pass before them
  std::vector<AttentionRange> ranges{{0, 3, 0, 3}, {3, 8, 3, 8}};
  explicit AttentionCase(int size = 6) : heads{2, size}, width(heads.width()) {
    inputs = dual_inputs = tokens * 3 * width, outputs = tokens * width;
  }

  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    const auto q = store<A>(unpadded(tokens, width), part(x, 0, tokens * width));
    const auto kv = store_keys<A>(tokens, width, part(x, tokens * width, 2 * tokens * width));
    const auto o = poisoned<A>(unpadded(tokens, width));
    AttentionScratch<typename A::Real> scratch;
    attention_forward<A>(heads, ranges, Values::computed, q.data(), kv.data(), scratch, o.data());
    return read<A>(unpadded(tokens, width), o);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const auto q = store<A>(unpadded(tokens, width), part(x, 0, tokens * width));
    const auto kv = store_keys<A>(tokens, width, part(x, tokens * width, 2 * tokens * width));
    const auto g_o = store<A>(unpadded(tokens, width), gy), g_q = poisoned<A>(unpadded(tokens, width));
    const auto g_kv = poisoned<A>(unpadded(tokens, 2 * width));
    const auto o = poisoned<A>(unpadded(tokens, width));
    AttentionScratch<typename A::Real> scratch;
    const auto both = [&]<class B>(Values values) {
      attention_forward<B>(heads, ranges, values, q.data(), kv.data(), scratch, o.data());
      attention_backward<B>(heads, ranges, values, q.data(), kv.data(), g_o.data(), scratch, g_q.data(), g_kv.data());
    };
    if constexpr (A::dual) {
      // Poison stays where the pass on duals expects what another has not computed.
      if (values_there) both.template operator()<InDuals<typename A::Real>>(Values::computed);
    }
    both.template operator()<A>(A::dual && values_there ? Values::there : Values::computed);
    Numbers g = read<A>(unpadded(tokens, width), g_q);
    append(g, read<A>(unpadded(tokens, 2 * width), g_kv));
    return g;
  }
};
TEST(Attention, Layer) {
  check_layer(AttentionCase{});
  check_layer(AttentionCase{2});
}
/// A pass on duals that forms tangents alone, after one on numbers in their places.
TEST(Attention, TangentsAlone) {
  for (const int size : {6, 2}) {
    AttentionCase layer(size);
    layer.values_there = true;
    check_layer(layer);
  }
}

TEST(Attention, IsTheStatedSum) {
  const AttentionCase layer;
  const std::vector<double> x = layer.point(3);
  const int w = layer.width, n = layer.tokens;
  const auto q = [&](int i, int c) { return x[i * w + c]; };
  const auto k = [&](int i, int c) { return x[n * w + i * 2 * w + c]; };
  const auto v = [&](int i, int c) { return x[n * w + i * 2 * w + w + c]; };
  std::vector<double> expected(n * w, 0);
  for (const AttentionRange& range : layer.ranges) {
    for (long i = range.query_begin; i < range.query_end; ++i) {
      for (int h = 0; h < 2; ++h) {
        double total = 0;
        std::vector<double> weight;
        for (long j = range.key_begin; j < range.key_end; ++j) {
          double logit = 0;
          for (int c = 6 * h; c < 6 * h + 6; ++c) logit += q(i, c) * k(j, c);
          weight.push_back(std::exp(logit));
          total += weight.back();
        }
        for (long j = range.key_begin; j < range.key_end; ++j)
          for (int c = 6 * h; c < 6 * h + 6; ++c) expected[i * w + c] += weight[j - range.key_begin] / total * v(j, c);
      }
    }
  }
  expect_close(layer.forward<Plain<double>>({}, {x, {}}).v, expected, 1e-14);
}

/// Logits of a few hundred do not overflow, and the largest wins.
TEST(Attention, SurvivesLargeLogits) {
  const AttentionCase layer;
  std::vector<double> x = layer.point(4);
  for (int k = 0; k < layer.tokens * layer.width; ++k) x[k] *= 400;
  for (const double y : layer.forward<Plain<float>>({}, {x, {}}).v) EXPECT_TRUE(std::isfinite(y));
  const auto g = layer.backward<Plain<float>>({}, {x, {}}, {layer.point(5), {}}, nullptr);
  for (const double y : g.v) EXPECT_TRUE(std::isfinite(y));
}

/// One structure of so many tokens that its weights come in several blocks of rows, beside rows asked for one by one.
TEST(Attention, BlocksDoNotMatter) {
  using A = Plain<double>;
  constexpr int n = 300, w = 6;
  constexpr HeadShape heads{1, 6};
  const auto q = store<A>(unpadded(n, w), {random_numbers(n * w, 1), {}}),
             kv = store_keys<A>(n, w, {random_numbers(2 * n * w, 2), {}});
  const auto g_o = store<A>(unpadded(n, w), {random_numbers(n * w, 3), {}});
  const auto run = [&](const std::vector<AttentionRange>& ranges) {
    const auto o = poisoned<A>(unpadded(n, w)), g_q = poisoned<A>(unpadded(n, w));
    std::vector<double> sum_kv(2 * n * w, 0.0);
    for (const AttentionRange& range : ranges) {
      const auto g_kv = poisoned<A>(unpadded(n, 2 * w));
      AttentionScratch<double> scratch;
      attention_forward<A>(heads, {range}, Values::computed, q.data(), kv.data(), scratch, o.data());
      attention_backward<A>(heads, {range}, Values::computed, q.data(), kv.data(), g_o.data(), scratch, g_q.data(),
                            g_kv.data());
      const std::vector<double> of_range = read<A>(unpadded(n, 2 * w), g_kv).v;
      for (std::size_t k = 0; k < sum_kv.size(); ++k) sum_kv[k] += of_range[k];
    }
    return joined(joined(read<A>(unpadded(n, w), o).v, read<A>(unpadded(n, w), g_q).v), sum_kv);
  };
  std::vector<AttentionRange> one_by_one;
  for (long i = 0; i < n; ++i) one_by_one.push_back({i, i + 1, 0, n});
  expect_close(run({{0, n, 0, n}}), run(one_by_one), 1e-13);
}

// ---- rotary embedding ----------------------------------------------------------------------------------------------

/// Inputs are the positions, then the channels: the adjoint of the phases is that of the positions.
struct RotaryCase : LayerCase {
  static constexpr HeadShape heads{2, 16};  // two frequencies, and a pair that is padding
  static constexpr int tokens = 5, width = 32;
  RotaryCase() { inputs = tokens * (3 + width), outputs = tokens * width; }

  template <class A>
  struct Arrays {
    View<double> omega = to_device("test::omega", std::vector<double>{2.1, 0.4}), x, dx;
    View<typename A::Real> cosine = poisoned<A>(unpadded(tokens, heads.size / 2)),
                           sine = poisoned<A>(unpadded(tokens, heads.size / 2)), data;
    explicit Arrays(const Numbers& in)
        : x(to_device("test::x", part(in.v, 0, 3 * tokens))),
          dx(to_device("test::dx", part(in.t, 0, 3 * tokens))),
          data(store<A>(unpadded(tokens, width), part(in, 3 * tokens, tokens * width))) {
      rotary_phases<A>(tokens, heads, 2, omega.data(), x.data(), dx.data(), cosine.data(), sine.data());
      rotate<A>(tokens, heads, cosine.data(), sine.data(), width, data.data());
    }
  };

  template <class A>
  Numbers forward(const std::vector<double>&, const Numbers& x) const {
    return read<A>(unpadded(tokens, width), Arrays<A>(x).data);
  }
  template <class A>
  Numbers backward(const std::vector<double>&, const Numbers& x, const Numbers& gy, std::vector<double>*) const {
    const Arrays<A> a(x);
    const auto g = store<A>(unpadded(tokens, width), gy);
    using T = typename A::Real;
    const View<double> g_x("test::g_x", 3 * tokens);
    const View<T> g_phase("test::g_phase", tokens * heads.size / 2);
    rotate_backward<A>(tokens, heads, a.cosine.data(), a.sine.data(), width, a.data.data(), g.data(),
                       A::dual ? nullptr : g_phase.data());
    rotary_phases_backward<T>(tokens, heads, 2, a.omega.data(), g_phase.data(), g_x.data());
    Numbers result = read_numbers<Plain<double>>(g_x);
    append(result, read<A>(unpadded(tokens, width), g));
    return result;
  }
};
TEST(Rotary, Layer) {
  check_layer(RotaryCase{});
}

/// The adjoint of the channels on duals; that of the positions is not wanted there.
struct RotaryChannels : RotaryCase {
  RotaryChannels() { inputs = dual_inputs = outputs = tokens * width; }
  Numbers with_positions(const Numbers& x) const {
    Numbers all{random_numbers(3 * tokens, 77), x.t.empty() ? x.t : std::vector<double>(3 * tokens, 0)};
    append(all, x);
    return all;
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    return RotaryCase::forward<A>(w, with_positions(x));
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    const Numbers g = RotaryCase::backward<A>(w, with_positions(x), gy, gw);
    const Numbers channels{part(g.v, 3 * tokens, tokens * width), g.t};
    return channels;
  }
};
TEST(Rotary, ChannelsOfDuals) {
  check_layer(RotaryChannels{});
}

/// Tangents formed after the values, there and back, beside those formed with them.
TEST(Rotary, TangentsAlone) {
  using A = WithTangent<double>;
  const RotaryCase layer;
  const int n = layer.tokens * layer.width;
  const Numbers x{random_numbers(layer.inputs, 1), random_numbers(layer.inputs, 2)},
      gy{random_numbers(n, 3), random_numbers(n, 4)};
  const RotaryCase::Arrays<A> both(x);
  const auto expected = read<A>(unpadded(layer.tokens, layer.width), both.data);
  const Numbers expected_back = layer.backward<A>({}, x, gy, nullptr);

  const RotaryCase::Arrays<A> a(x);
  const auto data = store<A>(unpadded(layer.tokens, layer.width),
                             {part(x.v, 3 * layer.tokens, n), part(x.t, 3 * layer.tokens, n)}),
             g = store<A>(unpadded(layer.tokens, layer.width), gy);
  const View<double> turns("test::turns", layer.tokens * layer.heads.size / 2);
  rotary_turns(layer.tokens, layer.heads, 2, a.omega.data(), a.dx.data(), turns.data());
  const auto cosine = poisoned<A>(unpadded(layer.tokens, layer.heads.size / 2)),
             sine = poisoned<A>(unpadded(layer.tokens, layer.heads.size / 2));
  rotary_phases<InDuals<double>>(layer.tokens, layer.heads, 2, a.omega.data(), a.x.data(), nullptr, cosine.data(),
                                 sine.data());
  rotate<InDuals<double>>(layer.tokens, layer.heads, cosine.data(), sine.data(), layer.width, data.data());
  rotate_tangents(layer.tokens, layer.heads, cosine.data(), sine.data(), turns.data(), 1, layer.width, data.data());
  expect_close(read<A>(unpadded(layer.tokens, layer.width), data).t, expected.t, 1e-13);
  rotate_backward<InDuals<double>>(layer.tokens, layer.heads, cosine.data(), sine.data(), layer.width, data.data(),
                                   g.data(), nullptr);
  rotate_tangents(layer.tokens, layer.heads, cosine.data(), sine.data(), turns.data(), -1, layer.width, g.data());
  expect_close(read<A>(unpadded(layer.tokens, layer.width), g).t, expected_back.t, 1e-13);
}

TEST(Rotary, ProductsDependOnDifferencesOfPositionsAlone) {
  const RotaryCase layer;
  std::vector<double> x = random_numbers(layer.inputs, 9), moved = x;
  for (int i = 0; i < 3 * layer.tokens; ++i) moved[i] += i % 3 == 0 ? 1.7 : i % 3 == 1 ? -0.4 : 3.1;
  const auto products = [&](const std::vector<double>& in) {
    const std::vector<double> y = layer.forward<Plain<double>>({}, {in, {}}).v;
    std::vector<double> all;
    for (int i = 0; i < layer.tokens; ++i) {
      for (int j = 0; j < layer.tokens; ++j)
        all.push_back(dot(part(y, i * layer.width, 16), part(y, j * layer.width, 16)));
    }
    return all;
  };
  expect_close(products(moved), products(x), 1e-13);
}

// ---- norm ----------------------------------------------------------------------------------------------------------

struct NormCase : LayerCase {
  static constexpr int tokens = 4, width = 21;
  NormCase() { inputs = dual_inputs = outputs = tokens * width, weights = width; }

  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    using Real = Plain<typename A::Real>;
    const auto gain = store<Real>(rows<Real>(1, width), {w, {}});
    const auto in = store<A>(rows<A>(tokens, width), x), y = poisoned<A>(rows<A>(tokens, width));
    rms_norm<A>(tokens, width, padded<typename A::Real>(width), gain.data(), in.data(), y.data());
    return read<A>(rows<A>(tokens, width), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    using Real = Plain<typename A::Real>;
    const auto gain = store<Real>(rows<Real>(1, width), {w, {}});
    const auto in = store<A>(rows<A>(tokens, width), x), g = store<A>(rows<A>(tokens, width), gy);
    const auto g_x = zeros<A>(rows<A>(tokens, width));
    const auto g_gain = gw ? store<Real>(rows<Real>(1, width), {*gw, {}}) : View<typename A::Real>();
    rms_norm_backward<A>(tokens, width, padded<typename A::Real>(width), gain.data(), in.data(), g.data(), g_x.data(),
                         gw ? g_gain.data() : nullptr);
    if (gw) *gw = read<Real>(rows<Real>(1, width), g_gain).v;
    return read<A>(rows<A>(tokens, width), g_x);
  }
};
TEST(RmsNorm, Layer) {
  check_layer(NormCase{});
}

}  // namespace
}  // namespace isotrope
