// SPDX-License-Identifier: MIT
// TDN against the authors' program with the same weights: tensors, energies, both kinds of forces, intermediates.
#include <gtest/gtest.h>

#include <cmath>

#include "geometry/forces.hpp"
#include "layers/edge_product.hpp"
#include "models/potential.hpp"
#include "models/tdn_pass.hpp"
#include "support/layer_checks.hpp"
#include "support/tdn_fixture.hpp"

namespace isotrope {
namespace {

using testing::TdnCase;
using testing::TdnFixture;
using testing::TdnOutputs;

/// The authors' exact tensor. Theirs is that of an older e3nn, whose 3j symbols of (1, 2, 2) and its permutations have
/// the other sign (so3/clebsch_gordan.hpp): for l = 2 it is handed over as factors, one a pair (i, j).
ModelRecord with_exact_tensor(ModelRecord record, const std::vector<double>& tensor) {
  if (record.hyperparameters.at("l_max") == 1) {
    record.hyperparameters["coupling"] = "exact";
    return record;
  }
  const int d = 9, rank = d * d;
  Table &a = record.tables["cp.a"], &b = record.tables["cp.b"], &c = record.tables["cp.c"];
  for (Table* table : {&a, &b, &c}) *table = {{d, rank}, std::vector<double>(d * rank, 0)};
  for (int r = 0; r < rank; ++r) {
    a.values[(r / d) * rank + r] = b.values[(r % d) * rank + r] = 1;
    for (int k = 0; k < d; ++k) c.values[k * rank + r] = tensor[r * d + k];
  }
  return record;
}

/// Energies of molecules, forces of the atoms that have neighbours, both kinds.
TdnOutputs evaluate(const Potential& potential, const TdnCase& c) {
  std::vector<const Structure*> molecules;
  for (const Structure& s : c.molecules) molecules.push_back(&s);
  const Graph graph = make_graph(molecules, SpeciesMap(potential.info().elements), potential.info().cutoff);
  NoHalo halo;
  Result result;
  potential.evaluate(graph, halo, *potential.make_workspace(), result);
  TdnOutputs out;
  out.energy.assign(molecules.size(), 0);
  for (int i = 0; i < graph.owned; ++i) out.energy[graph.graph[i]] += result.atom_energy[i];
  std::vector<Vec3> forces;
  assemble_forces(graph, result.dE_dr, forces);
  for (int i = 0; i < graph.owned; ++i) {
    if (c.kept[i]) {
      out.forces.push_back(forces[i]);
      out.direct.push_back(result.direct_forces.at(i));
    } else {
      EXPECT_EQ(result.atom_energy[i], 0);
      EXPECT_EQ(result.direct_forces.at(i), Vec3{});
    }
  }
  return out;
}

void compare(const std::vector<Vec3>& found, const std::vector<Vec3>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (int k = 0; k < 3; ++k) EXPECT_LE(std::abs(found[i][k] - expected[i][k]), tolerance) << i << " " << k;
  }
}

void compare(const Potential& potential, const TdnCase& c, const TdnOutputs& expected, double tolerance) {
  SCOPED_TRACE(c.name);
  const TdnOutputs found = evaluate(potential, c);
  ASSERT_EQ(found.energy.size(), expected.energy.size());
  for (std::size_t g = 0; g < found.energy.size(); ++g) {
    EXPECT_LE(std::abs(found.energy[g] - expected.energy[g]), tolerance);
  }
  compare(found.forces, expected.forces, tolerance);
  compare(found.direct, expected.direct, tolerance);
}

class TdnParity : public ::testing::TestWithParam<const char*> {};

TEST_P(TdnParity, Tensors) {
  const TdnFixture fixture = testing::read_tdn_fixture(GetParam());
  const TdnShape shape = TdnShape::from(fixture.model.hyperparameters, 6, fixture.model.cutoff);
  const std::vector<double> cp = coupling_tensor(fixture.model, shape), exact = all_path_tensor(shape.l_max, false);
  const std::vector<double> natural = all_path_tensor(shape.l_max, true);
  const int d = shape.components();
  ASSERT_EQ(cp.size(), fixture.tensor.size());
  ASSERT_EQ(exact.size(), fixture.exact_tensor.size());
  const auto degree = [](int i) { return i < 1 ? 0 : i < 4 ? 1 : 2; };
  for (int n = 0; n < d * d * d; ++n) {
    EXPECT_LE(std::abs(cp[n] - fixture.tensor[n]), 1e-15);
    const int sum = degree(n / d / d) + degree(n / d % d) + degree(n % d);
    const double sign = sum == 5 ? -1 : 1;  // (1, 2, 2) and its permutations, above
    EXPECT_LE(std::abs(exact[n] - sign * fixture.exact_tensor[n]), 1e-14);
    EXPECT_EQ(natural[n], sum % 2 == 0 ? exact[n] : 0);
  }
}

TEST_P(TdnParity, DoubleEqualsTheAuthorsProgram) {
  const TdnFixture fixture = testing::read_tdn_fixture(GetParam());
  const auto cp = make_potential(fixture.model, Precision::double_precision);
  const auto exact =
      make_potential(with_exact_tensor(fixture.model, fixture.exact_tensor), Precision::double_precision);
  for (const TdnCase& c : fixture.cases) {
    compare(*cp, c, c.cp, 1e-12);
    compare(*exact, c, c.exact, 1e-12);
  }
}

TEST_P(TdnParity, SingleIsWithinItsRounding) {
  const TdnFixture fixture = testing::read_tdn_fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::single_precision);
  for (const TdnCase& c : fixture.cases) compare(*potential, c, c.cp, 2e-6);
}

/// One kind of forces alone gives the numbers that both together give.
TEST_P(TdnParity, EachKindOfForcesAlone) {
  const TdnFixture fixture = testing::read_tdn_fixture(GetParam());
  const TdnCase& c = fixture.named("thiazole");
  for (const Forces kind : {Forces::gradient, Forces::direct}) {
    const auto potential = make_potential(fixture.model, Precision::double_precision);
    potential->use_forces(kind);
    const Graph graph = make_graph(c.molecules[0], SpeciesMap(fixture.model.elements), fixture.model.cutoff);
    NoHalo halo;
    Result result;
    potential->evaluate(graph, halo, *potential->make_workspace(), result);
    double energy = 0;
    for (const double e : result.atom_energy) energy += e;
    EXPECT_LE(std::abs(energy - c.cp.energy[0]), 1e-12);
    if (kind == Forces::gradient) {
      std::vector<Vec3> forces;
      assemble_forces(graph, result.dE_dr, forces);
      compare(forces, c.cp.forces, 1e-12);
      EXPECT_TRUE(result.direct_forces.empty());
    } else {
      compare(result.direct_forces, c.cp.direct, 1e-12);
      EXPECT_TRUE(result.dE_dr.empty());
    }
  }
}

// ---- intermediates
// ---------------------------------------------------------------------------------------------------

using A = Plain<double>;

/// A forward pass over the molecule of a case, and its arrays in the order of the fixture.
class Passed {
 public:
  Passed(const TdnFixture& fixture, const TdnCase& c)
      : case_(c),
        shape_(TdnShape::from(fixture.model.hyperparameters, 6, fixture.model.cutoff)),
        plan_(plan_weights<double>(shape_, fixture.model.parameters)),
        product_(shape_.l_max, coupling_tensor(fixture.model, shape_)) {
    plan_.plan.prepare<double>(fixture.model.parameters.values(), weights_);
    graph_ = make_graph(c.molecules[0], SpeciesMap(fixture.model.elements), shape_.cutoff);
    rows.build(graph_, shape_.species);
    const View<double> scale = to_device("scale", shape_.scale);
    TdnPass<A> pass({&shape_, &plan_, &product_, scale.data(), weights_.data(), nullptr}, {true, true, true}, rows,
                    halo_, arrays, nullptr);
    pass.forward();
    for (int t = 0; t < rows.rows; ++t) {
      for (long e = rows.host_first[t]; e < rows.host_first[t + 1]; ++e) place_[{rows.sender.data()[e], t}] = e;
    }
  }
  int d() const { return product_.d; }
  int channels() const { return shape_.channels; }
  int pad() const { return plan_.scalars.block[0].pad; }

  /// Features of atoms [atom][d][channels] from blocks.
  std::vector<double> nodes(const double* data, int channels) const {
    std::vector<double> out;
    for (int atom = 0; atom < rows.rows; ++atom) {
      for (int i = 0; i < d(); ++i)
        append_row(out, data + row_of(rows.rows, rows.row_of[atom], i, 0) * pad(), channels);
    }
    return out;
  }
  /// Edges in the order of the fixture.
  template <class F>
  void for_edges(const F& f) const {
    for (std::size_t k = 0; k < case_.sender.size(); ++k) {
      f(place_.at({rows.row_of[case_.sender[k]], rows.row_of[case_.receiver[k]]}));
    }
  }
  static long row_of(long atoms, long atom, int i, int from) {
    const int l = i < 1 ? 0 : i < 4 ? 1 : 2;
    return (l * l - from * from) * atoms + atom * (2 * l + 1) + i - l * l;
  }
  static void append_row(std::vector<double>& out, const double* row, int n) { out.insert(out.end(), row, row + n); }

  DeviceGraph rows;
  TdnArrays<A> arrays;

 private:
  const TdnCase& case_;
  TdnShape shape_;
  TdnWeights plan_;
  EdgeProduct product_;
  View<double> weights_;
  Graph graph_;
  NoHalo halo_;
  std::map<std::pair<int, int>, long> place_;
};

void expect_near(const TdnCase& c, const std::string& name, const std::vector<double>& found) {
  const auto entry = c.intermediate.find(name);
  ASSERT_NE(entry, c.intermediate.end()) << name;
  ASSERT_EQ(found.size(), entry->second.size()) << name;
  double worst = 0;
  for (std::size_t k = 0; k < found.size(); ++k) {
    const double error = std::abs(found[k] - entry->second[k]);
    if (!(error <= worst)) worst = error;
  }
  EXPECT_LE(worst, 1e-12) << name;
}

void compare_edges(const TdnCase& c, const Passed& p) {
  std::vector<double> lengths, harmonics, alpha, radial, scores;
  const auto& attention = p.arrays.blocks[0].attention;
  p.for_edges([&](long e) {
    lengths.push_back(p.arrays.length.data()[e]);
    Passed::append_row(harmonics, p.arrays.harmonics.data() + e * p.d(), p.d());
    Passed::append_row(radial, attention.radial.data() + e * p.pad(), p.channels());
    Passed::append_row(alpha, p.arrays.force.weight.data() + e * 4, 4);
  });
  expect_near(c, "edge_length", lengths);
  expect_near(c, "edge_sh", harmonics);
  expect_near(c, "block0.radial_weight", radial);
  expect_near(c, "force_head.alpha", alpha);
}

TEST_P(TdnParity, IntermediatesEqualTheAuthorsProgram) {
  const TdnFixture fixture = testing::read_tdn_fixture(GetParam());
  int compared = 0;
  for (const TdnCase& c : fixture.cases) {
    if (c.intermediate.empty()) continue;
    SCOPED_TRACE(c.name);
    ++compared;
    const Passed p(fixture, c);
    compare_edges(c, p);
    for (std::size_t t = 0; t < p.arrays.blocks.size(); ++t) {
      const auto& block = p.arrays.blocks[t];
      const std::string name = fmt::format("block{}.", t);
      expect_near(c, name + "input", p.nodes(block.in.data(), p.channels()));
      expect_near(c, name + "norm1", p.nodes(block.normed_1.data(), p.channels()));
      expect_near(c, name + "after_attn", p.nodes(block.middle.data(), p.channels()));
      expect_near(c, name + "norm2", p.nodes(block.normed_2.data(), p.channels()));
      std::vector<double> alpha;
      p.for_edges([&](long e) { Passed::append_row(alpha, block.attention.weight.data() + e * 4, 4); });
      expect_near(c, name + "alpha", alpha);
    }
    expect_near(c, "block0.aggregated", p.nodes(p.arrays.blocks[0].attention.aggregated.data(), p.channels()));
    expect_near(c, "block0.ffn_gate", p.nodes(p.arrays.blocks[0].gated.data(), p.channels()));
    expect_near(c, "final_norm", p.nodes(p.arrays.normed.data(), p.channels()));
  }
  EXPECT_EQ(compared, 1);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, TdnParity, ::testing::Values("a", "b", "c"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace isotrope
