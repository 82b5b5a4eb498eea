// SPDX-License-Identifier: MIT
// The radial network of TDN: its derivatives, at widths that do not fill lanes.
#include <gtest/gtest.h>

#include "layers/normed_mlp.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using namespace test;

struct NormedMlpCase : LayerCase {
  static constexpr int edges = 4, in = 3, hidden = 21, out = 5;
  NormedMlpCase() {
    inputs = dual_inputs = edges * in;
    outputs = edges * out;
    weights = in * hidden + 3 * hidden + hidden * out + out;
  }
  /// The network over weights that lie one after the other, each row padded, and how long all of them are.
  template <class A>
  static NormedMlp network(std::vector<long>& places) {
    using T = typename A::Real;
    std::size_t at = 0;
    const auto take = [&](int rows, int padded_rows, int columns) {
      const std::size_t begin = at;
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) places.push_back(static_cast<long>(begin) + r * padded<T>(columns) + c);
      at += static_cast<std::size_t>(padded_rows) * padded<T>(columns);
      return begin;
    };
    NormedMlp mlp;
    NormedMlp::Hidden layer;
    layer.linear = {take(in, padded<T>(in), hidden), padded<T>(in), padded<T>(hidden)};
    layer.width = hidden;
    layer.bias = take(1, 1, hidden);
    layer.gain = take(1, 1, hidden);
    layer.shift = take(1, 1, hidden);
    mlp.hidden = {layer};
    mlp.last = {take(hidden, padded<T>(hidden), out), padded<T>(hidden), padded<T>(out)};
    mlp.offset = take(1, 1, out);
    places.push_back(static_cast<long>(at));
    return mlp;
  }
  template <class A>
  static View<typename A::Real> scattered(const std::vector<double>& w, const std::vector<long>& places) {
    std::vector<typename A::Real> values(places.back(), 0);
    for (std::size_t k = 0; k < w.size(); ++k) values[places[k]] = static_cast<typename A::Real>(w[k]);
    return to_device("test::weights", values);
  }
  template <class A>
  static Shape of(int live) {
    return {{edges, {{live, padded<typename A::Real>(live)}}}};
  }
  template <class A>
  Numbers forward(const std::vector<double>& w, const Numbers& x) const {
    std::vector<long> places;
    const NormedMlp mlp = network<A>(places);
    const auto values = scattered<A>(w, places), memory = store<A>(of<A>(in), x), y = poisoned<A>(of<A>(out));
    NormedMlp::Scratch<A> scratch;
    mlp.forward<A>(values.data(), edges, memory.data(), scratch, y.data());
    return read<A>(of<A>(out), y);
  }
  template <class A>
  Numbers backward(const std::vector<double>& w, const Numbers& x, const Numbers& gy, std::vector<double>* gw) const {
    std::vector<long> places;
    const NormedMlp mlp = network<A>(places);
    const auto values = scattered<A>(w, places), memory = store<A>(of<A>(in), x), y = poisoned<A>(of<A>(out));
    const auto g = store<A>(of<A>(out), gy), gx = zeros<A>(of<A>(in)), gradient = scattered<A>(gw ? *gw : w, places);
    NormedMlp::Scratch<A> scratch;
    mlp.forward<A>(values.data(), edges, memory.data(), scratch, y.data());
    mlp.backward<A>(values.data(), edges, memory.data(), scratch, g.data(), gx.data(), gw ? gradient.data() : nullptr);
    for (std::size_t k = 0; gw && k < gw->size(); ++k) (*gw)[k] = gradient.data()[places[k]];
    return read<A>(of<A>(in), gx);
  }
};
TEST(RadialNetwork, NormedMlp) {
  check_layer(NormedMlpCase{});
}

}  // namespace
}  // namespace isotrope
