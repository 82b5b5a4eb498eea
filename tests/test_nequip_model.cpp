// SPDX-License-Identifier: MIT
// A fresh NequIP model (create_nequip), its isolated atoms, what it refuses, and its passes in chunks of receivers.
#include <gtest/gtest.h>

#include <cmath>

#include "geometry/forces.hpp"
#include "layers/radial_tables.hpp"
#include "models/collect_energies.hpp"
#include "models/nequip.hpp"
#include "models/nequip_pass.hpp"
#include "support/layer_checks.hpp"
#include "support/message_of.hpp"
#include "support/random_structure.hpp"

namespace isotrope {
namespace {

nlohmann::json small_config() {
  return {{"architecture", "nequip"},
          {"cutoff", 4.0},
          {"hidden_irreps", "5x0e+2x0o+3x1e+4x1o+2x2e"},
          {"layers", 3},
          {"num_bessel", 4},
          {"radial_mlp", {7, 9}},
          {"readout_hidden", 6},
          {"train_denominators", true}};
}
DataStatistics statistics() {
  return {{1, 8}, {-13.5, -430.25}, 9.5, 1.25};
}
std::string error_of(const nlohmann::json& config) {
  return testing::message_of([&] { create_model(config, statistics(), 1); });
}
std::string error_with(const char* key, const nlohmann::json& value) {
  nlohmann::json config = small_config();
  config[key] = value;
  return error_of(config);
}

// ---- create_nequip -------------------------------------------------------------------------------------------------

TEST(CreateNequip, SeedDecidesTheWeights) {
  const ModelRecord a = create_model(small_config(), statistics(), 7),
                    b = create_model(small_config(), statistics(), 7);
  const ModelRecord c = create_model(small_config(), statistics(), 8);
  EXPECT_EQ(a.parameters.values(), b.parameters.values());
  for (const auto& entry : a.parameters.entries()) {
    const auto of_a = a.parameters[entry.name], of_c = c.parameters[entry.name];
    const bool fixed = entry.name == "bessel.frequencies" || entry.name.ends_with("denominator");
    for (std::size_t k = 0; k < entry.size; ++k) EXPECT_EQ(of_a[k] == of_c[k], fixed) << entry.name;
  }
  EXPECT_NEAR(a.parameters["bessel.frequencies"][1], 2 * 3.14159265358979 / 4, 1e-12);
  EXPECT_NEAR(a.parameters["layer.1.denominator"][0], std::sqrt(9.5), 1e-12);
}

/// Features grow as couplings reach them, as long as something reads them: even vectors need two steps, odd scalars
/// three, and as many again until the energy sees them.
TEST(CreateNequip, FeaturesAreThoseThatAreReachedAndRead) {
  const std::string natural = "5x0e+4x1o+2x2e", with_vectors = "5x0e+3x1e+4x1o+2x2e", all = "5x0e+2x0o+3x1e+4x1o+2x2e";
  const auto irreps = [](int layers) {
    nlohmann::json config = small_config();
    config["layers"] = layers;
    return create_model(config, statistics(), 1).hyperparameters["irreps"].get<std::vector<std::string>>();
  };
  EXPECT_EQ(irreps(3), (std::vector<std::string>{"5x0e", natural, natural, "5x0e"}));
  EXPECT_EQ(irreps(4), (std::vector<std::string>{"5x0e", natural, with_vectors, natural, "5x0e"}));
  EXPECT_EQ(irreps(6), (std::vector<std::string>{"5x0e", natural, with_vectors, all, with_vectors, natural, "5x0e"}));
}

TEST(CreateNequip, IsolatedAtomHasNoInteractionAndNoForce) {
  const ModelRecord record = create_model(small_config(), statistics(), 3);
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    const auto potential = make_potential(record, precision);
    for (const int number : {1, 8}) {
      Structure atom;
      atom.numbers = {number};
      atom.positions = {Vec3{0.1, 0.2, 0.3}};
      const Graph graph = make_graph(atom, SpeciesMap(record.elements), record.cutoff);
      NoHalo halo;
      Result result;
      potential->evaluate(graph, halo, *potential->make_workspace(), result);
      EXPECT_EQ(result.atom_energy, (std::vector<double>{0}));
      EXPECT_TRUE(result.dE_dr.empty());
    }
  }
}

TEST(CreateNequip, SaysWhatSymmetryItHas) {
  EXPECT_EQ(make_potential(create_model(small_config(), statistics(), 3), Precision::double_precision)->info().symmetry,
            Symmetry::o3);
  nlohmann::json config = small_config();
  config["parity"] = false;
  config["hidden_irreps"] = "5x0e+3x1e";
  EXPECT_EQ(make_potential(create_model(config, statistics(), 3), Precision::double_precision)->info().symmetry,
            Symmetry::so3);
}

TEST(CreateNequip, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(error_of(small_config()), "no error");
  EXPECT_EQ(error_with("hidden_irrep", "8x0e"), "model: unknown key 'hidden_irrep'; did you mean 'hidden_irreps'?");
  nlohmann::json config = small_config();
  config.erase("cutoff");
  EXPECT_EQ(error_of(config), "model: key 'cutoff' is missing");
  EXPECT_EQ(error_with("cutoff", -1), "model: 'cutoff' must be positive (Å), found -1");
  const std::string where = "hyperparameters of architecture nequip: ";
  EXPECT_EQ(error_with("self_connection", "full"),
            where + "'self_connection' is none, linear or species, found \"full\"");
  EXPECT_EQ(error_with("cutoff_power", 1),
            "hyperparameters of architecture nequip, cutoff_function: 'power' must be between 2 and 64, found 1");
  EXPECT_EQ(error_with("radial_mlp", nlohmann::json::array()),
            where + "'radial_mlp' must be a list of at least one whole number from 1 to 4096, found []");
  EXPECT_EQ(error_with("layers", 2.5), "model: 'layers' must be a whole number, found 2.5");
}

TEST(CreateNequip, RefusesIrrepsThatItDoesNotHave) {
  for (const char* irreps : {"8x0e+4x2e+4x1o", "8x0e+4x1o+4x1e", "4x0e+4x1o+4x1o", "4x0e+4x4e"}) {
    EXPECT_EQ(error_with("hidden_irreps", irreps).find("hyperparameters of architecture nequip: irreps '"), 0u)
        << error_with("hidden_irreps", irreps);
  }
  EXPECT_EQ(error_with("hidden_irreps", "8x1o"),
            "model: 'hidden_irreps' must begin with even scalars, such as 32x0e, found 8x1o");
  nlohmann::json config = small_config();
  config["parity"] = false;
  config["hidden_irreps"] = "8x0e+8x1o";
  EXPECT_EQ(error_of(config), "no error");  // without parity nothing reaches 1o: it is left out
}

// ---- chunks of receivers -------------------------------------------------------------------------------------------

struct Outputs {
  std::vector<double> energy, g_r, gradient;
  std::size_t chunks = 0;
};

template <class A>
void run(const ModelRecord& record, const Graph& graph, const LossTangent& tangent, long most_numbers, Outputs& out,
         bool tabulated = false) {
  const NequipShape shape =
      NequipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  const NequipWeights plan = plan_weights<double>(shape, record.parameters, coupling_signs(record, shape));
  View<double> weights;
  plan.plan.prepare<double>(record.parameters.values(), weights);
  const auto values = record.parameters["bessel.frequencies"];
  const auto frequencies = to_device("frequencies", std::vector<double>(values.begin(), values.end()));
  const auto scale = to_device("scale", shape.scale);
  NequipArrays<A> arrays;
  arrays.edges.most_numbers = most_numbers;
  if (most_numbers < 5000) arrays.block = 4;
  DeviceGraph rows;
  rows.build(graph, shape.species, A::dual ? 0 : arrays.block);
  if (A::dual) rows.set_tangent(graph, tangent.dr, tangent.energy);
  NoHalo halo;
  const View<double> weight_gradient("gradient", plan.plan.size());
  const View<double> frequency_gradient("frequency_gradient", shape.num_bessel);
  EdgeModel<double> edges{{shape.num_bessel, shape.envelope, shape.bessel_prefactor, frequencies.data()},
                          shape.harmonics,
                          {},
                          weights.data()};
  RadialTables<double> tables({shape.num_bessel, shape.envelope, shape.bessel_prefactor, values.data()},
                              default_table_tolerance);
  for (const NequipLayer& layer : plan.layers) {
    edges.layers.push_back({layer.convolution.get(), &layer.radial});
    if (tabulated) tables.add(layer.radial, weights, *layer.convolution);
  }
  if (tabulated) {
    edges.tables = &tables.layers;
    edges.basis.count = 0;
    arrays.edges.most_couplings = most_numbers;
  }
  NequipPass<A> pass({&shape, &plan, edges, scale.data(), weights.data()}, rows, halo, arrays,
                     A::dual ? weight_gradient.data() : nullptr, A::dual ? frequency_gradient.data() : nullptr);
  pass.forward();
  pass.backward();
  out.chunks = arrays.edges.chunks.size();
  if constexpr (A::dual) {
    out.gradient.assign(record.parameters.size(), 0);
    plan.plan.add_gradient<double>(weight_gradient, record.parameters.values(), out.gradient);
    for (const double g : test::read_numbers<Plain<double>>(frequency_gradient).v) out.gradient.push_back(g);
  } else {
    Result result;  // in the order of the graph, whatever that of the rows
    collect_energies(graph, rows, arrays.energy, arrays.edges.g_r, std::vector<double>(shape.species, 1),
                     std::vector<double>(shape.species, 0), result);
    out.energy = result.atom_energy;
    out.g_r.clear();
    for (const Vec3& g : result.dE_dr) out.g_r.insert(out.g_r.end(), g.begin(), g.end());
  }
}

Outputs run_both(const ModelRecord& record, const Graph& graph, const LossTangent& tangent, long most_numbers) {
  Outputs out;
  run<WithTangent<double>>(record, graph, tangent, most_numbers, out);
  run<Plain<double>>(record, graph, tangent, most_numbers, out);
  return out;
}

/// A large graph passes its edges in chunks; the size of these must not show.
TEST(NequipPass, ChunksOfReceiversGiveTheSameNumbers) {
  testing_support::Generator generator(11);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  Structure s = testing_support::random_structure(generator, 9, cell, {true, true, true});
  const ModelRecord record = create_model(small_config(), statistics(), 5);
  SplitMix random(2);
  const Graph graph = make_graph(s, SpeciesMap(record.elements), record.cutoff);
  LossTangent tangent;
  tangent.energy = {0.7};
  for (long e = 0; e < graph.edges(); ++e) tangent.dr.push_back({random.normal(), random.normal(), random.normal()});

  const Outputs one = run_both(record, graph, tangent, 1 << 24);
  EXPECT_EQ(one.chunks, 1u);
  std::size_t fewer = 100;
  for (const long most_numbers : {1L, 3500L, 6000L}) {
    const Outputs many = run_both(record, graph, tangent, most_numbers);
    EXPECT_GT(many.chunks, 1u);
    EXPECT_LT(many.chunks, fewer);
    fewer = many.chunks;
    test::expect_close(many.energy, one.energy, 1e-12);
    test::expect_close(many.g_r, one.g_r, 1e-12);
    test::expect_close(many.gradient, one.gradient, 1e-12);
  }
}

/// With tables nothing of the size of all edges is kept but dE/dr.
TEST(NequipPass, StreamedEdgesGiveTheSameNumbers) {
  testing_support::Generator generator(13);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  const Structure s = testing_support::random_structure(generator, 9, cell, {true, true, true});
  const ModelRecord record = create_model(small_config(), statistics(), 5);
  const Graph graph = make_graph(s, SpeciesMap(record.elements), record.cutoff);
  Outputs exact, one, many;
  run<Plain<double>>(record, graph, {}, 1 << 24, exact);
  run<Plain<double>>(record, graph, {}, 1 << 24, one, true);
  run<Plain<double>>(record, graph, {}, 1, many, true);
  EXPECT_EQ(one.chunks, 1u);
  EXPECT_EQ(many.chunks, 9u);
  test::expect_close(one.energy, exact.energy, 1e-4);
  test::expect_close(one.g_r, exact.g_r, 1e-4);
  test::expect_close(many.energy, one.energy, 1e-12);
  test::expect_close(many.g_r, one.g_r, 1e-12);
}

/// Every parameter, frequencies and denominators too: the loss gradient against differences of the plain pass.
TEST(NequipPass, LossGradientEqualsFiniteDifferences) {
  testing_support::Generator generator(12);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  const Structure s = testing_support::random_structure(generator, 6, cell, {true, true, true});
  ModelRecord record = create_model(small_config(), statistics(), 5);
  const auto potential = make_potential(record, Precision::double_precision);
  const auto workspace = potential->make_workspace();
  const Graph graph = make_graph(s, SpeciesMap(record.elements), record.cutoff);
  SplitMix random(2);
  LossTangent tangent;
  tangent.energy = {0.7};
  for (long e = 0; e < graph.edges(); ++e) tangent.dr.push_back({random.normal(), random.normal(), random.normal()});
  std::vector<double> gradient(record.parameters.size(), 0);
  potential->add_loss_gradient(graph, tangent, *workspace, gradient);

  // What the tangent stands for: dL/dE times the energy, and the derivative of the energy along dr.
  const auto loss = [&](const std::vector<double>& parameters) {
    potential->set_parameters(parameters);
    NoHalo halo;
    Result result;
    potential->evaluate(graph, halo, *workspace, result);
    double value = 0;
    for (const double e : result.atom_energy) value += tangent.energy[0] * e;
    for (long e = 0; e < graph.edges(); ++e) value += dot(result.dE_dr[e], tangent.dr[e]);
    return value;
  };
  for (const auto& entry : record.parameters.entries()) {
    std::vector<double> direction(record.parameters.size(), 0);
    for (std::size_t k = 0; k < entry.size; ++k) direction[entry.offset + k] = random.normal();
    const auto slope = test::slope_of(
        [&](double e) { return std::vector<double>{loss(test::sum(record.parameters.values(), e, direction))}; })[0];
    const auto part = test::part(gradient, entry.offset, entry.size),
               d = test::part(direction, entry.offset, entry.size);
    EXPECT_LE(std::abs(test::dot(part, d) - slope), 1e-7 * std::sqrt(test::dot(part, part) * test::dot(d, d)))
        << entry.name;
    EXPECT_GT(test::dot(part, part), 0) << entry.name;
  }
}

}  // namespace
}  // namespace isotrope
