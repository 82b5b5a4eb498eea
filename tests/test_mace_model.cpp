// SPDX-License-Identifier: MIT
// A fresh MACE model (create_mace), its isolated atoms, what it refuses, and its passes in chunks of receivers.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "geometry/forces.hpp"
#include "layers/radial_tables.hpp"
#include "models/collect_energies.hpp"
#include "models/mace.hpp"
#include "models/mace_pass.hpp"
#include "models/mace_radial.hpp"
#include "support/layer_checks.hpp"
#include "support/message_of.hpp"
#include "support/random_structure.hpp"

namespace isotrope {
namespace {

nlohmann::json small_config() {
  return {{"pair_energy", true}, {"architecture", "mace"}, {"cutoff", 4.0},        {"hidden_irreps", "5x0e+5x1o"},
          {"l_max", 2},          {"num_bessel", 5},        {"radial_mlp", {7, 9}}, {"readout_mlp", 6}};
}
nlohmann::json gaunt_config() {
  nlohmann::json config = small_config();
  config["product"] = "gaunt";
  return config;
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

// ---- create_mace ---------------------------------------------------------------------------------------------------

TEST(CreateMace, SeedDecidesTheWeights) {
  const ModelRecord a = create_model(small_config(), statistics(), 7),
                    b = create_model(small_config(), statistics(), 7);
  const ModelRecord c = create_model(small_config(), statistics(), 8);
  EXPECT_EQ(a.parameters.values(), b.parameters.values());
  for (const auto& entry : a.parameters.entries()) {
    const auto of_a = a.parameters[entry.name], of_c = c.parameters[entry.name];
    const bool pair = entry.name == "pair.weight";
    for (std::size_t k = 0; k < entry.size; ++k) EXPECT_EQ(of_a[k] == of_c[k], pair) << entry.name;
    if (pair) {
      for (const double weight : of_a) EXPECT_EQ(weight, 0);
    }
  }
}

TEST(CreateMace, IsolatedAtomHasNoInteractionAndNoForce) {
  ModelRecord record = create_model(small_config(), statistics(), 3);
  for (double& weight : record.parameters["pair.weight"]) weight = 0.3;
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

TEST(CreateMace, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(error_of(small_config()), "no error");
  EXPECT_EQ(error_with("hidden_irrep", "8x0e"), "model: unknown key 'hidden_irrep'; did you mean 'hidden_irreps'?");
  EXPECT_EQ(error_with("architecture", "mice"),
            "unknown architecture 'mice': this build knows mace, nequip, tdn, transip");
  nlohmann::json config = small_config();
  config.erase("cutoff");
  EXPECT_EQ(error_of(config), "model: key 'cutoff' is missing");
  EXPECT_EQ(error_with("cutoff", -1), "model: 'cutoff' must be positive (Å), found -1");
}

TEST(CreateMace, RefusesIrrepsThatMaceDoesNotHave) {
  for (const char* irreps : {"8x0e+4x1o", "8x0e+8x1e", "8x1o", "8x0e+8x2e", "4x0e+4x1o+4x2e+4x3o"}) {
    EXPECT_EQ(error_with("hidden_irreps", irreps),
              fmt::format("hidden_irreps '{}': MACE needs the same number of channels for each l = 0 ... L, L at most "
                          "2, natural parity, such as 64x0e+64x1o",
                          irreps));
  }
}

TEST(CreateMace, RefusesNumbersOfTheWrongKind) {
  const std::string where = "hyperparameters of architecture mace: ";
  EXPECT_EQ(error_with("l_max", 2.5), where + "'l_max' must be a whole number, found 2.5");
  EXPECT_EQ(error_with("l_max", 4), where + "'l_max' must be between 1 and 3, found 4");
  EXPECT_EQ(error_with("layers", true), where + "'layers' must be a whole number, found true");
  EXPECT_EQ(error_with("hidden_irreps", 8), where + "'hidden_irreps' has the wrong type: 8");
  EXPECT_EQ(error_with("pair_energy", 1), where + "'pair_energy' has the wrong type: 1");
  for (const nlohmann::json& bad :
       {nlohmann::json::array(), nlohmann::json{64, 0}, nlohmann::json{64, 7.5}, nlohmann::json(64)}) {
    EXPECT_EQ(error_with("radial_mlp", bad),
              where + "'radial_mlp' must be a list of at least one whole number from 1 to 4096, found " + bad.dump());
  }
}

// ---- blocks and chunks of receivers --------------------------------------------------------------------------------

struct Outputs {
  std::vector<double> energy, g_r, gradient;
  std::size_t chunks = 0;
};

/// How a pass is divided.
struct Division {
  long most_numbers = 1 << 24;  ///< of radial weights, or of couplings where these come from tables
  int block_rows = 64;
  long most_kept = 1 << 23, kept_per_row = 0;
  bool tabulated = false;
};

template <class A>
void run(const ModelRecord& record, const Graph& graph, const LossTangent& tangent, const Division& division,
         Outputs& out) {
  const MaceShape shape =
      MaceShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  const MaceWeights plan = plan_weights<double>(shape, record.parameters, coupling_tables(record, shape));
  View<double> weights;
  plan.plan.prepare<double>(record.parameters.values(), weights);
  const MaceRadial radial(record, shape);
  const auto scale = to_device("scale", shape.scale);
  DeviceGraph rows;
  rows.build(graph, shape.species, A::dual ? 0 : division.block_rows);
  if (A::dual) rows.set_tangent(graph, tangent.dr, tangent.energy);
  MaceArrays<A> arrays;
  arrays.edges.most_numbers = arrays.edges.most_couplings = division.most_numbers;
  arrays.block_rows = division.block_rows;
  arrays.most_kept = division.most_kept;
  arrays.kept_per_row = division.kept_per_row;
  NoHalo halo;
  const View<double> weight_gradient("gradient", plan.plan.size());
  EdgeModel<double> edges{radial.basis(shape), {shape.l_max, -1, false}, {}, weights.data()};
  edges.length_wanted = shape.zbl;
  RadialTables<double> tables(radial.host_basis(shape), default_table_tolerance);
  for (const MaceLayer& layer : plan.layers) {
    edges.layers.push_back({layer.convolution.get(), &layer.radial});
    if (division.tabulated) tables.add(layer.radial, weights, *layer.convolution);
  }
  if (division.tabulated) {
    edges.tables = &tables.layers;
    edges.basis.count = 0;
  }
  MacePass<A> pass({&shape, &plan, edges, scale.data(), weights.data(), &radial.zbl()}, rows, halo, arrays,
                   A::dual ? weight_gradient.data() : nullptr);
  pass.run();
  out.chunks = arrays.edges.chunks.size();
  if constexpr (A::dual) {
    out.gradient.assign(record.parameters.size(), 0);
    plan.plan.add_gradient<double>(weight_gradient, record.parameters.values(), out.gradient);
  } else {
    Result result;  // in the order of the graph, whatever that of the rows
    collect_energies(graph, rows, arrays.energy, arrays.edges.g_r, std::vector<double>(shape.species, 1),
                     std::vector<double>(shape.species, 0), result);
    out.energy = result.atom_energy;
    out.g_r.clear();
    for (const Vec3& g : result.dE_dr) out.g_r.insert(out.g_r.end(), g.begin(), g.end());
  }
}

Outputs run_both(const ModelRecord& record, const Graph& graph, const LossTangent& tangent, const Division& division) {
  Outputs out;
  run<WithTangent<double>>(record, graph, tangent, division, out);
  run<Plain<double>>(record, graph, tangent, division, out);
  return out;
}

/// A model with everything that those of public checkpoints have beyond a fresh one, and random parameters.
ModelRecord public_form(const nlohmann::json& config) {
  ModelRecord record = create_model(config, statistics(), 5);
  record.hyperparameters.update({{"distance_transform", "agnesi"},
                                 {"envelope", "weights"},
                                 {"density_normalised", true},
                                 {"pair_repulsion", "zbl"},
                                 {"repulsion_power", 6}});
  record.tables["agnesi.constants"] = {{3}, {1.0805, 0.9183, 4.5791}};
  record.tables["agnesi.radii"] = record.tables["zbl.radii"] = {{2}, {0.31, 0.66}};
  record.tables["zbl.constants"] = {
      {11}, {14.3996, 0.2403, 0.3, 0.1818, 0.5099, 0.2802, 0.02817, 3.2, 0.9423, 0.4028, 0.2016}};
  const MaceShape shape = MaceShape::from(record.hyperparameters, 2, record.cutoff);
  record.parameters = declare_parameters(shape, coupling_tables(record, shape));
  SplitMix random(3);
  for (const auto& entry : record.parameters.entries()) {
    for (double& value : record.parameters[entry.name]) value = random.normal();
  }
  return record;
}

void expect_chunks_not_to_show(const ModelRecord& record) {
  testing_support::Generator generator(11);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  Structure s = testing_support::random_structure(generator, 9, cell, {true, true, true});
  SplitMix random(2);
  const Graph graph = make_graph(s, SpeciesMap(record.elements), record.cutoff);
  LossTangent tangent;
  tangent.energy = {0.7};
  for (long e = 0; e < graph.edges(); ++e) tangent.dr.push_back({random.normal(), random.normal(), random.normal()});

  const Outputs one = run_both(record, graph, tangent, {});
  EXPECT_EQ(one.chunks, 1u);
  std::size_t fewer = 100;
  for (const long most_numbers : {1L, 2000L, 6000L}) {
    const Outputs many = run_both(record, graph, tangent, {most_numbers});
    EXPECT_GT(many.chunks, 1u);
    EXPECT_LT(many.chunks, fewer);
    fewer = many.chunks;
    test::expect_close(many.energy, one.energy, 1e-12);
    test::expect_close(many.g_r, one.g_r, 1e-12);
    test::expect_close(many.gradient, one.gradient, 1e-12);
  }
}

/// A large graph passes its edges in chunks; the size of these must not show.
TEST(MacePass, ChunksOfReceiversGiveTheSameNumbers) {
  nlohmann::json config = small_config();
  config["layers"] = 3;
  ModelRecord record = create_model(config, statistics(), 5);
  SplitMix random(2);
  for (double& weight : record.parameters["pair.weight"]) weight = random.normal();
  expect_chunks_not_to_show(record);
  expect_chunks_not_to_show(public_form(config));
}

Structure nine_atoms() {
  testing_support::Generator generator(13);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  return testing_support::random_structure(generator, 9, cell, {true, true, true});
}

/// Blocks in other orders of the rows, kept for the way back, evaluated again, or some of each.
void expect_blocks_not_to_show(const ModelRecord& record, bool tabulated) {
  const Graph graph = make_graph(nine_atoms(), SpeciesMap(record.elements), record.cutoff);
  Outputs one, many;
  run<Plain<double>>(record, graph, {}, {1 << 24, 64, 1 << 23, 0, tabulated}, one);
  EXPECT_EQ(one.chunks, 1u);
  for (const int rows : {1, 2, 4}) {
    for (const auto& [kept, per_row] : {std::pair{0L, 0L}, {700L, 0L}, {0L, 90L}, {1L << 23, 0L}}) {
      for (const long most_numbers : {1L, 1L << 24}) {
        run<Plain<double>>(record, graph, {}, {most_numbers, rows, kept, per_row, tabulated}, many);
        EXPECT_EQ(many.chunks, most_numbers == 1 ? 9u : (9u + rows - 1) / rows);
        test::expect_close(many.energy, one.energy, 1e-12);
        test::expect_close(many.g_r, one.g_r, 1e-12);
      }
    }
  }
}

TEST(MacePass, BlocksOfReceiversGiveTheSameNumbers) {
  nlohmann::json config = small_config();
  config["layers"] = 3;
  expect_blocks_not_to_show(public_form(config), false);
  config["product"] = "gaunt";
  expect_blocks_not_to_show(create_model(config, statistics(), 5), false);
  config.erase("pair_energy");  // which reads the radial basis: without it edges are streamed
  expect_blocks_not_to_show(create_model(config, statistics(), 5), true);
}

/// Weights are merged once for the species that a workspace met; new species and new parameters must not be missed.
TEST(MacePass, MergedWeightsFollowSpeciesAndParameters) {
  const auto potential = make_potential(create_model(small_config(), statistics(), 3), Precision::double_precision);
  const auto used = potential->make_workspace();
  const auto energies = [&](const std::vector<int>& numbers, Workspace& workspace) {
    Structure atoms;
    atoms.numbers = numbers;
    for (std::size_t k = 0; k < numbers.size(); ++k) atoms.positions.push_back({1.1 * k, 0.3 * k * k, 0.2});
    NoHalo halo;
    Result result;
    potential->evaluate(make_graph(atoms, SpeciesMap({1, 8}), 4.0), halo, workspace, result);
    return result.atom_energy;
  };
  for (const int seed : {3, 4}) {
    potential->set_parameters(create_model(small_config(), statistics(), seed).parameters.values());
    for (const std::vector<int>& numbers : {std::vector{1, 1}, {8, 8, 1}, {1, 8}}) {
      const std::vector<double> fresh = energies(numbers, *potential->make_workspace());
      EXPECT_EQ(energies(numbers, *used), fresh);
      EXPECT_GT(std::abs(fresh[0]), 1e-6);
    }
  }
}

/// With tables nothing of the size of all edges is kept but dE/dr.
TEST(MacePass, TablesStandForTheRadialNetworks) {
  nlohmann::json config = small_config();
  config.erase("pair_energy");
  const ModelRecord record = create_model(config, statistics(), 5);
  const Graph graph = make_graph(nine_atoms(), SpeciesMap(record.elements), record.cutoff);
  Outputs exact, tabulated;
  run<Plain<double>>(record, graph, {}, {}, exact);
  run<Plain<double>>(record, graph, {}, {1 << 24, 64, 1 << 23, true}, tabulated);
  test::expect_close(tabulated.energy, exact.energy, 1e-4);
  test::expect_close(tabulated.g_r, exact.g_r, 1e-4);
}

// ---- gradient of a loss --------------------------------------------------------------------------------------------

/// dL/d(parameters) by the dual pass against the slope of dE/dr along a direction, both by finite differences of the
/// energy's own derivatives.
void expect_exact_gradient(const ModelRecord& record) {
  testing_support::Generator generator(5);
  const Structure s = testing_support::random_structure(generator, 7, Mat3{Vec3{4, 0, 0}, Vec3{0, 4, 0}, Vec3{0, 0, 4}},
                                                        {false, false, false});
  const auto potential = make_potential(record, Precision::double_precision);
  const auto workspace = potential->make_workspace();
  const Graph graph = make_graph(s, SpeciesMap(record.elements), record.cutoff);
  SplitMix random(2);
  LossTangent tangent;
  tangent.energy = {0.7};
  for (long e = 0; e < graph.edges(); ++e) tangent.dr.push_back({random.normal(), random.normal(), random.normal()});
  std::vector<double> gradient(record.parameters.size(), 0.0);
  potential->add_loss_gradient(graph, tangent, *workspace, gradient);

  std::vector<double> x = record.parameters.values();
  const auto loss = [&] {  // its differential by the parameters is what the tangent stands for
    potential->set_parameters(x);
    Result result;
    NoHalo halo;
    potential->evaluate(graph, halo, *workspace, result);
    double sum = 0;
    for (double e : result.atom_energy) sum += tangent.energy[0] * e;
    for (long e = 0; e < graph.edges(); ++e) sum += dot(result.dE_dr[e], tangent.dr[e]);
    return sum;
  };
  double scale = 0;
  for (double g : gradient) scale = std::max(scale, std::abs(g));
  ASSERT_GT(scale, 0);
  for (std::size_t k = 0; k < x.size(); k += 7) {
    const double at = x[k], h = 1e-5;
    const auto difference = [&](double step) {  // central
      x[k] = at + step;
      const double up = loss();
      x[k] = at - step;
      const double down = loss();
      x[k] = at;
      return (up - down) / (2 * step);
    };
    const double slope = (4 * difference(h) - difference(2 * h)) / 3;  // of fourth order: the density is steep
    EXPECT_NEAR(slope, gradient[k], 1e-7 * scale) << "parameter " << k;
  }
}

TEST(MacePass, GradientOfALossOnForcesIsExact) {
  expect_exact_gradient(create_model(gaunt_config(), statistics(), 5));
  expect_exact_gradient(public_form(small_config()));
  nlohmann::json three = small_config();  // the second neither begins nor ends
  three["layers"] = 3;
  expect_exact_gradient(create_model(three, statistics(), 5));
}

// ---- forms of public checkpoints -----------------------------------------------------------------------------------

std::string error_of_form(const char* key, const nlohmann::json& value) {
  ModelRecord record = public_form(small_config());
  record.hyperparameters[key] = value;
  return testing::message_of([&] { make_potential(record, Precision::double_precision); });
}

TEST(MaceForms, OptionsHaveTwoValues) {
  const std::string where = "hyperparameters of architecture mace: ";
  EXPECT_EQ(error_of_form("envelope", "weights"), "no error");
  EXPECT_EQ(error_of_form("distance_transform", "soft"),
            where + "'distance_transform' must be none or agnesi, found 'soft'");
  EXPECT_EQ(error_of_form("envelope", "edges"), where + "'envelope' must be basis or weights, found 'edges'");
  EXPECT_EQ(error_of_form("pair_repulsion", "ZBL"), where + "'pair_repulsion' must be none or zbl, found 'ZBL'");
  EXPECT_EQ(error_of_form("density_normalised", "yes"), where + "'density_normalised' has the wrong type: \"yes\"");
  EXPECT_EQ(error_of_form("repulsion_power", 1), where + "'repulsion_power' must be between 2 and 64, found 1");
}

TEST(MaceForms, ConstantsAreInTheFile) {
  for (const auto& [name, size] : {std::pair{"agnesi.constants", 3},
                                   {"agnesi.radii", 2},
                                   {"zbl.constants", 11},
                                   {"zbl.radii", 2},
                                   {"bessel.frequencies", 5}}) {
    ModelRecord record = public_form(small_config());
    record.tables[name].values.push_back(1);
    EXPECT_THROW(
        {
          try {
            make_potential(record, Precision::double_precision);
          } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()), fmt::format("model: expected the table {} of {} numbers", name, size));
            throw;
          }
        },
        Error);
  }
}

/// Two nuclei within the sum of their radii, by the formula of the docs; beyond it nothing.
TEST(MaceForms, RepulsionIsThatOfZblAndEndsAtTheRadii) {
  ModelRecord record = public_form(small_config()), without = record;
  without.hyperparameters["pair_repulsion"] = "none";
  const auto energy = [](const ModelRecord& model, double distance) {
    Structure pair;
    pair.numbers = {1, 8};
    pair.positions = {Vec3{0, 0, 0}, Vec3{0, 0, distance}};
    NoHalo halo;
    Result result;
    const auto potential = make_potential(model, Precision::double_precision);
    potential->evaluate(make_graph(pair, SpeciesMap(model.elements), model.cutoff), halo, *potential->make_workspace(),
                        result);
    return (result.atom_energy[0] + result.atom_energy[1]) / statistics().force_rms;
  };
  const double r = 0.8, x = r / 0.97, scaled = r * (1 + std::pow(8, 0.3)) / 0.2403;
  const double screened = 0.1818 * std::exp(-3.2 * scaled) + 0.5099 * std::exp(-0.9423 * scaled) +
                          0.2802 * std::exp(-0.4028 * scaled) + 0.02817 * std::exp(-0.2016 * scaled);
  const double end = 1 - 28 * std::pow(x, 6) + 48 * std::pow(x, 7) - 21 * std::pow(x, 8);
  EXPECT_NEAR(energy(record, r) - energy(without, r), 14.3996 * 8 / r * screened * end, 1e-9);
  EXPECT_EQ(energy(record, 0.98), energy(without, 0.98));
}

// ---- product: gaunt ------------------------------------------------------------------------------------------------

/// One weight for each L and power, and the tables of the file are the polynomials.
TEST(GauntMace, HasOnePathForEachPower) {
  const ModelRecord record = create_model(gaunt_config(), statistics(), 3);
  int products = 0;
  for (const auto& entry : record.parameters.entries()) {
    if (!entry.name.starts_with("product.") || entry.shape.size() != 3) continue;
    EXPECT_EQ(entry.shape, (std::vector<int>{2, 1, 5})) << entry.name;
    ++products;
  }
  EXPECT_EQ(products, 2 * 3 + 3);  // L = 0, 1 of the first layer and L = 0 of the last, three powers each
  EXPECT_EQ(error_with("product", "gant"),
            "hyperparameters of architecture mace: 'product' must be clebsch-gordan or gaunt, found 'gant'");
}

}  // namespace
}  // namespace isotrope
