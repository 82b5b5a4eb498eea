// SPDX-License-Identifier: MIT
// Between the host and the kernels: rows of a graph, weights from the flat parameters, features on their way to ghosts.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "layers/feature_exchange.hpp"
#include "layers/weights.hpp"
#include "support/layer_checks.hpp"
#include "support/small_graph.hpp"

namespace isotrope {
namespace {

using namespace test;

template <class T>
std::vector<T> to_host(const View<T>& view, std::size_t size) {
  auto host = Kokkos::create_mirror_view(view);
  Kokkos::deep_copy(host, view);
  return std::vector<T>(host.data(), host.data() + size);
}

// ---- graph ---------------------------------------------------------------------------------------------------------

TEST(DeviceGraph, SortsRowsBySpeciesThenGhosts) {
  DeviceGraph graph;
  graph.build(small_graph(), 3);
  EXPECT_EQ(graph.rows, 6);
  EXPECT_EQ(graph.senders, 9);
  EXPECT_EQ(graph.segment_of({0, 6}), (std::vector<int>{0, 3, 3, 6}));
  EXPECT_EQ(graph.segment_of({2, 5}), (std::vector<int>{0, 1, 1, 3}));
  EXPECT_EQ(graph.rows_of, (std::vector<int>{3, 0, 3}));
  EXPECT_EQ(graph.order, (std::vector<int>{1, 4, 5, 0, 3, 6, 7, 9, 10}));
  EXPECT_EQ(graph.row_of, (std::vector<int>{3, 0, -1, 4, 1, 2, 5, 6, -1, 7, 8}));
  EXPECT_EQ(to_host(graph.species.view(), graph.senders), (std::vector<int>{0, 0, 0, 2, 2, 2, 0, 2, 0}));
}

/// Ghosts and atoms of other potentials have no part in the groups.
TEST(DeviceGraph, FollowsTheCurveInGroupsOfSortedSpecies) {
  Graph host = small_graph();
  host.curve = {6, 2, 4, 3, 5, 1, 0};
  DeviceGraph graph;
  graph.build(host, 3, 4);
  EXPECT_EQ(graph.order, (std::vector<int>{4, 5, 6, 3, 1, 0, 7, 9, 10}));
  EXPECT_EQ(graph.segment_of({0, 4}), (std::vector<int>{0, 2, 2, 4}));
  EXPECT_EQ(graph.segment_of({4, 6}), (std::vector<int>{0, 1, 1, 2}));
  EXPECT_EQ(graph.rows_of, (std::vector<int>{3, 0, 3}));
  graph.build(host, 3, 1);
  EXPECT_EQ(graph.order, (std::vector<int>{6, 4, 3, 5, 1, 0, 7, 9, 10}));
  graph.build(host, 3);
  EXPECT_EQ(graph.order, (std::vector<int>{4, 5, 1, 6, 3, 0, 7, 9, 10}));
}

TEST(DeviceGraph, KeepsEveryEdge) {
  const Graph host = small_graph();
  DeviceGraph graph;
  graph.build(host, 3);
  ASSERT_EQ(graph.edges, host.edges());
  const auto first = to_host(graph.first.view(), graph.rows + 1);
  const auto sender = to_host(graph.sender.view(), graph.edges), receiver = to_host(graph.receiver.view(), graph.edges);
  const auto r = to_host(graph.r.view(), 3 * graph.edges);
  EXPECT_EQ(first, graph.host_first);
  for (int row = 0; row < graph.rows; ++row) {
    const int atom = graph.order[row];
    ASSERT_EQ(first[row + 1] - first[row], host.first[atom + 1] - host.first[atom]);
    for (long e = first[row]; e < first[row + 1]; ++e) {
      const long origin = host.first[atom] + e - first[row];
      EXPECT_EQ(receiver[e], row);
      EXPECT_EQ(graph.order[sender[e]], host.neighbour[origin]);
      for (int k = 0; k < 3; ++k) EXPECT_EQ(r[3 * e + k], host.r[origin][k]);
    }
  }
}

TEST(DeviceGraph, BringsEdgesBackInTheirOrder) {
  const Graph host = small_graph();
  DeviceGraph graph;
  graph.build(host, 3);
  std::vector<Vec3> back(host.edges());
  graph.edges_to_host(graph.r.view(), back);
  EXPECT_EQ(back, host.r);
}

TEST(DeviceGraph, BringsTangentsIntoTheOrderOfTheRows) {
  const Graph host = small_graph();
  DeviceGraph graph;
  graph.build(host, 3);
  std::vector<Vec3> tangent, back(host.edges());
  for (long e = 0; e < host.edges(); ++e) tangent.push_back({1.0 * e, 2.0 * e, -3.0 * e});
  graph.set_tangent(host, tangent, std::vector<double>{5, 7});
  graph.edges_to_host(graph.dr.view(), back);
  EXPECT_EQ(back, tangent);
  EXPECT_EQ(to_host(graph.seed.view(), graph.rows), (std::vector<double>{5, 7, 7, 5, 5, 7}));
}

TEST(DeviceGraph, MayBeEmptyAndIsUsedAgain) {
  const Graph host = small_graph();
  DeviceGraph graph;
  graph.build(host, 3);
  graph.build(Graph{}, 3);
  EXPECT_EQ(graph.rows, 0);
  EXPECT_EQ(graph.senders, 0);
  EXPECT_EQ(graph.edges, 0);
  EXPECT_EQ(graph.segment_of({0, 0}), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(graph.rows_of, (std::vector<int>{0, 0, 0}));
  Graph others = host;  // a rank whose atoms all belong to another potential
  others.species.assign(others.total, -1);
  others.first.assign(others.owned + 1, 0);
  others.neighbour.clear();
  others.r.clear();
  graph.build(others, 3);
  EXPECT_EQ(graph.rows, 0);
  EXPECT_EQ(graph.senders, 0);
  EXPECT_EQ(graph.row_of, std::vector<int>(others.total, -1));
  graph.build(host, 3);
  std::vector<Vec3> back(host.edges());
  graph.edges_to_host(graph.r.view(), back);
  EXPECT_EQ(back, host.r);
}

// ---- weights -------------------------------------------------------------------------------------------------------

template <class T>
void expect_adjoint(double tolerance) {
  WeightPlan plan;
  const std::size_t a = plan.allocate(4 * 6), b = plan.allocate(2 * 5), c = plan.allocate(7);
  plan.copy(3, 8, 3, 4, 1.7, a, 6);  // rows with a gap on both sides
  plan.copy(40, 2, 2, 2, -0.4, b, 5);
  plan.mix(50, 3, 2, {0.5, -1, 2, 0.25, 3, -0.7}, 2, b + 2, 5);  // three paths to two
  plan.copy(0, 7, 1, 7, 1, c, 7);                                // a parameter that is used twice
  EXPECT_EQ(plan.size(), 41u);
  const auto parameters = random_numbers(56, 1), adjoint = random_numbers(plan.size(), 2);
  View<T> weights;
  plan.prepare<T>(parameters, weights);
  const auto prepared = to_host(weights, plan.size());
  const std::vector<double> w(prepared.begin(), prepared.end());

  EXPECT_LE(std::abs(w[a + 6 + 2] - 1.7 * parameters[3 + 8 + 2]), tolerance);
  EXPECT_LE(std::abs(w[b + 5 + 2 + 1] - (0.25 * parameters[51] + 3 * parameters[53] - 0.7 * parameters[55])),
            8 * tolerance);
  EXPECT_EQ(w[a + 4], 0);  // padding
  EXPECT_EQ(w[a + 3 * 6], 0);
  EXPECT_EQ(w[b + 4], 0);

  const auto stored = store_numbers<Plain<T>>({adjoint, {}});
  std::vector<double> gradient(parameters.size(), 1);  // added to
  plan.add_gradient<T>(stored, parameters, gradient);
  const std::vector<double> ones(parameters.size(), 1);
  EXPECT_LE(std::abs(dot(w, adjoint) - dot(parameters, sum(gradient, -1, ones))), 100 * tolerance);
}

TEST(WeightPlan, GradientIsTheAdjointOfPreparing) {
  expect_adjoint<double>(1e-15);
  expect_adjoint<float>(1e-6);
}

/// A copy that another parameter divides: values, and the gradient of both against differences.
TEST(WeightPlan, DividesByAParameter) {
  WeightPlan plan;
  const std::size_t a = plan.allocate(4), b = plan.allocate(2);
  plan.divide_by(5);
  plan.copy(0, 2, 2, 2, 3, a, 2);
  plan.divide_by(WeightPlan::none);
  plan.copy(4, 1, 1, 1, 1, b, 2);
  const std::vector<double> parameters{1, 2, 3, 4, 5, 0.5}, adjoint{0.3, -1, 2, 0.7, 0.9, 0};
  View<double> weights;
  const auto prepared = [&](const std::vector<double>& p) {
    plan.prepare<double>(p, weights);
    return to_host(weights, plan.size());
  };
  EXPECT_EQ(prepared(parameters), (std::vector<double>{6, 12, 18, 24, 5, 0}));
  std::vector<double> gradient(parameters.size(), 0);
  plan.add_gradient<double>(store_numbers<Plain<double>>({adjoint, {}}), parameters, gradient);
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    const auto slope = slope_of([&](double e) {
      std::vector<double> moved = parameters;
      moved[k] += e;
      return std::vector<double>{dot(prepared(moved), adjoint)};
    })[0];
    EXPECT_NEAR(gradient[k], slope, 1e-6) << k;
  }
}

TEST(WeightPlan, PreparesAgainIntoTheSameMemory) {
  WeightPlan plan;
  plan.copy(0, 2, 2, 2, 1, plan.allocate(8), 4);
  View<double> weights;
  plan.prepare<double>(std::vector<double>{1, 2, 3, 4}, weights);
  const double* const memory = weights.data();
  plan.prepare<double>(std::vector<double>{5, 6, 7, 8}, weights);
  EXPECT_EQ(weights.data(), memory);
  EXPECT_EQ(to_host(weights, 8), (std::vector<double>{5, 6, 0, 0, 7, 8, 0, 0}));
}

// ---- exchange ------------------------------------------------------------------------------------------------------

template <class T>
class FeatureExchangeOf : public ::testing::Test {
 protected:
  /// l = 0 and 1 with odd numbers of channels: 3 + 15 = 18 numbers, or 5 + 3 * 2 = 11 with the other.
  static Layout layout(int scalars, int vectors) {
    Layout layout;
    layout.add(0, scalars, padded<T>(scalars));
    layout.add(1, vectors, padded<T>(vectors));
    return layout;
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FeatureExchangeOf, Reals);

TYPED_TEST(FeatureExchangeOf, CarriesLiveChannelsThereAndBack) {
  using T = TypeParam;
  using A = Plain<T>;
  const Graph host = small_graph();
  DeviceGraph graph;
  graph.build(host, 3);
  const Layout layout = this->layout(5, 2);
  EXPECT_EQ(exchange_width<T>(layout), sizeof(T) == 4 ? 6 : 11);  // 11 numbers, two floats in a double
  const Shape shape = shape_of(layout, graph.senders);
  const auto values = random_numbers(live_size(shape), 1);
  const auto memory = store<A>(shape, {values, {}});
  const auto value = [&](const std::vector<double>& x, int row, int k) {  // the k-th live number of a row
    return k < 5 ? x[row * 5 + k] : x[graph.senders * 5 + row * 6 + k - 5];
  };
  const int owners[] = {1, 2, 5}, ghosts[] = {10, 8, 7};  // 2 and 8 are of another potential
  std::vector<double> sent(3 * exchange_width<T>(layout), std::numeric_limits<double>::quiet_NaN());
  {
    FeatureExchange<T> exchange(graph, features<A>(layout, graph.senders, memory));
    ASSERT_EQ(exchange.width(), exchange_width<T>(layout));
    exchange.pack(owners, sent.data());
    for (int k = 0; k < exchange.width(); ++k) EXPECT_EQ(sent[exchange.width() + k], 0);
    exchange.unpack(ghosts, sent.data());
  }
  auto expected = read<A>(shape, memory).v;
  for (int n = 0; n < 3; n += 2) {
    for (int k = 0; k < 11; ++k) {
      EXPECT_EQ(value(expected, graph.row_of[ghosts[n]], k), T(value(values, graph.row_of[owners[n]], k)));
    }
  }
  for (int row = 0; row < graph.senders; ++row) {  // no other row has changed
    if (row == graph.row_of[7] || row == graph.row_of[10]) continue;
    for (int k = 0; k < 11; ++k) EXPECT_EQ(value(expected, row, k), T(value(values, row, k)));
  }
  {
    FeatureExchange<T> exchange(graph, features<A>(layout, graph.senders, memory));
    exchange.pack(ghosts, sent.data());
    exchange.accumulate(owners, sent.data());
    exchange.accumulate(owners, sent.data());
  }
  const auto found = read<A>(shape, memory).v;
  for (int n = 0; n < 3; n += 2) {
    for (int k = 0; k < 11; ++k) {
      const int row = graph.row_of[owners[n]];
      EXPECT_LE(std::abs(value(found, row, k) - 3 * value(values, row, k)), 1e-6 * std::abs(value(values, row, k)));
    }
  }
}

/// Memory of ghosts is not initialised: what was there must not reach the padding.
TYPED_TEST(FeatureExchangeOf, CleansThePaddingOfGhosts) {
  using T = TypeParam;
  using A = Plain<T>;
  DeviceGraph graph;
  graph.build(small_graph(), 3);
  const Layout layout = this->layout(3, 5);
  const Shape shape = shape_of(layout, graph.senders);
  const auto memory = poisoned<A>(shape);
  const std::vector<int> all = graph.order;
  const std::vector<double> zero(all.size() * exchange_width<T>(layout), 0);
  {
    FeatureExchange<T> exchange(graph, features<A>(layout, graph.senders, memory));
    exchange.unpack(all, zero.data());
  }
  expect_close(read<A>(shape, memory).v, std::vector<double>(live_size(shape), 0), 0);
}

TYPED_TEST(FeatureExchangeOf, MayBeEmpty) {
  using T = TypeParam;
  DeviceGraph graph;
  graph.build(Graph{}, 3);
  FeatureExchange<T> exchange(graph, Features<Plain<T>>{nullptr, 0, this->layout(3, 5)});
  exchange.pack({}, nullptr);
  exchange.unpack({}, nullptr);
  exchange.accumulate({}, nullptr);
  EXPECT_EQ(exchange.width(), exchange_width<T>(this->layout(3, 5)));
}

}  // namespace
}  // namespace isotrope
