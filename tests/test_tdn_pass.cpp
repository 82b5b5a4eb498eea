// SPDX-License-Identifier: MIT
// Passes of TDN over a graph: in chunks of receivers, and those that take over what an earlier one left.
#include <gtest/gtest.h>

#include "models/tdn_pass.hpp"
#include "support/fresh_tdn.hpp"
#include "support/layer_checks.hpp"

namespace isotrope {
namespace {

using test::fresh, test::molecules, test::small_config;

struct Outputs {
  std::vector<double> energy, force, g_r, gradient;
  std::size_t chunks = 0;
  bool kept = false, paired = false;
};

/// What passes over one graph share.
struct Network {
  Network(const ModelRecord& record, const Graph& graph, const LossTangent& tangent)
      : parameters(record.parameters),
        shape(TdnShape::from(record.hyperparameters, 6, record.cutoff)),
        plan(plan_weights<double>(shape, parameters)),
        product(shape.l_max, coupling_tensor(record, shape)),
        scale(to_device("scale", shape.scale)) {
    plan.plan.prepare<double>(parameters.values(), weights);
    rows.build(graph, shape.species);
    rows.set_tangent(graph, tangent.dr, tangent.energy);
  }
  template <class A>
  TdnPass<A> pass(TdnArrays<A>& arrays, double* weight_gradient) {
    return {{&shape, &plan, &product, scale.data(), weights.data(), nullptr},
            {false, true, !A::dual},
            rows,
            halo,
            arrays,
            weight_gradient};
  }
  std::vector<double> gradient(TdnArrays<WithTangent<double>>& arrays) {
    const View<double> sum("gradient", plan.plan.size());
    auto dual = pass(arrays, sum.data());
    dual.forward();
    dual.backward();
    std::vector<double> out(parameters.size(), 0);
    plan.plan.add_gradient<double>(sum, parameters.values(), out);
    return out;
  }

  const Parameters& parameters;
  TdnShape shape;
  TdnWeights plan;
  View<double> weights;
  EdgeProduct product;
  View<double> scale;
  DeviceGraph rows;
  NoHalo halo;
};

Outputs run_both(Network& network, long chunk, long most_kept) {
  Outputs out;
  TdnArrays<WithTangent<double>> duals;
  TdnArrays<Plain<double>> plain;
  duals.chunk_numbers = plain.chunk_numbers = chunk;
  duals.most_kept = plain.most_kept = most_kept;
  out.gradient = network.gradient(duals);
  auto pass = network.pass(plain, nullptr);
  pass.forward();
  pass.backward();
  EXPECT_EQ(plain.chunks.size(), duals.chunks.size());
  EXPECT_EQ(plain.kept, duals.kept);
  out.chunks = plain.chunks.size();
  out.kept = plain.kept;
  out.paired = plain.radial.paired;
  EXPECT_TRUE(!out.paired || plain.radial.pairs.count < network.rows.edges);
  out.energy = test::part(test::read_numbers<Plain<double>>(plain.energy.view()).v, 0, network.rows.rows);
  out.g_r = test::part(test::read_numbers<Plain<double>>(plain.g_r.view()).v, 0, 3 * network.rows.edges);
  return out;
}

LossTangent random_tangent(const Graph& graph) {
  LossTangent tangent;
  tangent.energy = {0.7};
  SplitMix random(2);
  std::vector<Vec3> velocity;
  for (int i = 0; i < graph.total; ++i) velocity.push_back({random.normal(), random.normal(), random.normal()});
  for (int i = 0; i < graph.owned; ++i) {
    for (long e = graph.first[i]; e < graph.first[i + 1]; ++e)
      tangent.dr.push_back(velocity[graph.neighbour[e]] - velocity[i]);
  }
  return tangent;
}

/// A large graph passes its edges in chunks and computes again what it does not keep; neither must show.
TEST(TdnPass, ChunksOfReceiversGiveTheSameNumbers) {
  const ModelRecord record = fresh(small_config("gradient"));
  const Graph graph = make_graph(molecules()[2].structure, SpeciesMap(record.elements), record.cutoff);
  Network network(record, graph, random_tangent(graph));
  const Outputs one = run_both(network, 1 << 24, 1 << 24);
  EXPECT_EQ(one.chunks, 1u);
  EXPECT_TRUE(one.kept);
  const long radial_weights_alone = graph.edges() * 100;
  for (const long chunk : {1L, 6000L}) {
    for (const long most_kept : {0L, radial_weights_alone, 1L << 24}) {
      const Outputs many = run_both(network, chunk, most_kept);
      EXPECT_GT(many.chunks, 1u);
      EXPECT_EQ(many.paired, most_kept > 0);
      EXPECT_EQ(many.kept, most_kept > radial_weights_alone);
      test::expect_close(many.energy, one.energy, 1e-12);
      test::expect_close(many.g_r, one.g_r, 1e-12);
      test::expect_close(many.gradient, one.gradient, 1e-11);
    }
  }
}

/// A dual pass forms the tangents alone of what a plain pass over the same graph left it the values of.
TEST(TdnPass, DualPassTakesTheValuesOfThePlainPass) {
  for (const int l_max : {1, 2}) {
    nlohmann::json config = small_config("gradient", l_max);
    const ModelRecord record = fresh(config);
    const Graph graph = make_graph(molecules()[2].structure, SpeciesMap(record.elements), record.cutoff);
    Network network(record, graph, random_tangent(graph));
    TdnArrays<WithTangent<double>> alone;
    const std::vector<double> expected = network.gradient(alone);
    for (const long chunk : {1L, 6000L, 1L << 24}) {
      TdnArrays<Plain<double>> plain;
      TdnArrays<WithTangent<double>> duals;
      plain.chunk_numbers = chunk;
      auto pass = network.pass(plain, nullptr);
      ASSERT_TRUE(pass.leave_values_to(duals));
      pass.forward();
      pass.backward();
      duals.values_there = true;
      test::expect_close(network.gradient(duals), expected, 1e-11);
      Kokkos::deep_copy(duals.blocks[0].attention.g_message.view(), 0.0);
      duals.values_there = true;
      const std::vector<double> wrong = test::sum(network.gradient(duals), -1, expected);
      EXPECT_GT(test::dot(wrong, wrong), 1e-6 * test::dot(expected, expected)) << "nothing reads what is left";
    }
  }
}

TEST(TdnPass, NoValuesAreLeftWhereTheyDoNotFit) {
  const ModelRecord record = fresh(small_config("gradient"));
  const Graph graph = make_graph(molecules()[2].structure, SpeciesMap(record.elements), record.cutoff);
  Network network(record, graph, random_tangent(graph));
  TdnArrays<Plain<double>> plain;
  TdnArrays<WithTangent<double>> duals;
  duals.most_kept = graph.edges() * 100;
  EXPECT_FALSE(network.pass(plain, nullptr).leave_values_to(duals));
}

/// A step of training evaluates and then asks for the gradient. To the last bit: a resumed training starts with an
/// empty workspace.
TEST(TdnGradient, IsTheSameWhateverWasEvaluatedBefore) {
  const ModelRecord record = fresh(small_config("gradient"));
  const auto potential = make_tdn(record, Precision::double_precision);
  const SpeciesMap species(record.elements);
  const Graph first = make_graph(molecules()[2].structure, species, record.cutoff);
  const Graph second = make_graph(molecules()[1].structure, species, record.cutoff);
  const LossTangent tangent = random_tangent(first);
  std::vector<double> values(record.parameters.values().begin(), record.parameters.values().end());
  NoHalo halo;
  Result result;
  const auto gradient = [&](Workspace& workspace) {
    std::vector<double> out(values.size(), 0);
    potential->add_loss_gradient(first, tangent, workspace, out);
    return out;
  };
  const auto used = potential->make_workspace();
  const std::vector<double> expected = gradient(*used);
  for (const Graph* between : {&first, &second}) {
    potential->evaluate(first, halo, *used, result);
    potential->evaluate(*between, halo, *used, result);
    EXPECT_EQ(gradient(*used), expected);
    EXPECT_EQ(gradient(*used), expected);
  }
  potential->evaluate(first, halo, *used, result);
  for (double& x : values) x *= 1.01;
  potential->set_parameters(values);
  EXPECT_EQ(gradient(*used), gradient(*potential->make_workspace()));
}

}  // namespace
}  // namespace isotrope
