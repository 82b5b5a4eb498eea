// SPDX-License-Identifier: MIT
// TransIP against its twin in PyTorch (scripts/make_transip_fixtures.py): energies, forces, features, and gradients of
// losses on energies, forces and latent equivariance; and against itself: finite differences, blocks, precisions.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "evaluate/orbit.hpp"
#include "evaluate/physics_checks.hpp"
#include "support/message_of.hpp"
#include "support/transip_fixture.hpp"
#include "train/loss_pass.hpp"

namespace isotrope {
namespace {

using testing::message_of;
using testing::TransipFixture;

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double d = std::abs(a[k] - b[k]);
    if (!(d <= largest)) largest = d;  // keeps NaN
  }
  return largest;
}
std::vector<double> flat(const std::vector<Vec3>& rows) {
  std::vector<double> numbers;
  for (const Vec3& row : rows) numbers.insert(numbers.end(), row.begin(), row.end());
  return numbers;
}
double rms(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum / static_cast<double>(x.size()));
}

struct Answer {
  Result result;
  Prediction prediction;
};
Answer ask(const Potential& potential, const std::vector<const Structure*>& structures) {
  const Graph graph = make_graph(structures, SpeciesMap(potential.info().elements), potential.info().cutoff);
  NoHalo halo;
  Answer answer;
  answer.result.want_latent = true;
  potential.evaluate(graph, halo, *potential.make_workspace(), answer.result);
  assemble_prediction(potential.info(), graph, answer.result, answer.prediction);
  return answer;
}

class Transip : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, Transip,
                         ::testing::Values("gradient_1x12", "direct_3x6", "frames_so3", "frames_o3_direct",
                                           "frames_fading", "local", "local_direct", "per_layer", "local_per_layer"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Transip, SaysWhatItsTwinSays) {
  const TransipFixture fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  const auto rough = make_potential(fixture.model, Precision::single_precision);
  for (const auto& s : fixture.structures) {
    SCOPED_TRACE(s.name);
    const Answer found = ask(*potential, {&s.structure}), single = ask(*rough, {&s.structure});
    EXPECT_LE(largest_difference(found.result.atom_energy, s.atom_energies), 1e-12);
    EXPECT_LE(largest_difference(flat(found.prediction.forces), flat(s.forces)), 1e-12);
    EXPECT_LE(largest_difference(found.result.latent, s.latent), 1e-12);
    EXPECT_LE(largest_difference(single.result.atom_energy, s.atom_energies), 2e-5);
    EXPECT_LE(largest_difference(flat(single.prediction.forces), flat(s.forces)), 2e-5 * (1 + rms(flat(s.forces))));
  }
}

TEST_P(Transip, TakesManyStructuresAtOnce) {
  const TransipFixture fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  std::vector<const Structure*> all;
  std::vector<double> energies, forces;
  for (const auto& s : fixture.structures) {
    all.push_back(&s.structure);
    energies.insert(energies.end(), s.atom_energies.begin(), s.atom_energies.end());
    for (const Vec3& f : s.forces) forces.insert(forces.end(), f.begin(), f.end());
  }
  const Answer found = ask(*potential, all);
  EXPECT_LE(largest_difference(found.result.atom_energy, energies), 1e-12);
  EXPECT_LE(largest_difference(flat(found.prediction.forces), forces), 1e-12);
}

TEST_P(Transip, GradientOfTheLossIsThatOfItsTwin) {
  const TransipFixture fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  std::vector<const char*> cases{"plain"};
  const std::string name = GetParam();
  if (name == "gradient_1x12") cases = {"plain", "pooled", "per_atom", "one_branch", "not_normalised"};
  if (name == "direct_3x6") cases = {"plain", "per_atom"};
  if (name == "local") cases = {"plain", "pooled"};
  if (name == "per_layer" || name == "local_per_layer") cases = {"per_layer"};
  for (const char* which : cases) {
    SCOPED_TRACE(which);
    const auto t = fixture.training(which);
    const bool latent = t.equivariance.latent_weight > 0;
    LossPass pass(*potential, t.loss, t.equivariance, fixture.model.parameters);
    LossCounts counts = loss_counts(t.views.batch.labels);
    if (latent) {
      // Of the first views alone.
      counts.energies /= 2, counts.force_components /= 2, counts.structures /= 2, counts.atoms /= 2;
    }
    const auto& parameters = fixture.model.parameters.values();
    // From the second step on the gradient takes over what evaluation has computed already.
    for (const int step : {1, 2, 3}) {
      SCOPED_TRACE(step);
      std::vector<double> gradient(fixture.model.parameters.size(), 0.0);
      const LossTerms terms = latent ? pass.add_gradient(t.views, counts, parameters, gradient)
                                     : pass.add_gradient(t.views.batch, counts, gradient);
      EXPECT_NEAR(terms.total(), t.value, 1e-12 * t.value);
      EXPECT_NEAR(terms.latent, t.latent, 1e-12 * t.value);
      EXPECT_LE(largest_difference(gradient, t.gradient), 1e-12 * std::max(1.0, rms(t.gradient)));
    }
  }
}

TEST_P(Transip, ObeysWhatItClaims) {
  const TransipFixture fixture(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  std::vector<NamedStructure> structures;
  for (const auto& s : fixture.structures) structures.push_back({s.name, s.structure});
  const auto subject = checked(*potential, Precision::double_precision);
  const bool gradient = potential->info().gradient_forces, framed = potential->info().symmetry != Symmetry::none,
             local = potential->info().cutoff > 0;
  bool fading = false;
  for (const CheckResult& r : check_physics(subject, structures, local)) {
    SCOPED_TRACE(r.name + ", " + r.where);
    const bool claimed = r.name == "permutation" || r.name == "translation" ||
                         (gradient && (r.name == "forces" || r.name == "net force")) ||
                         (framed && r.name == "rotation") ||
                         (local && (r.name == "cutoff" || r.name == "isolated atoms" || r.name == "extensivity")) ||
                         (local && gradient && r.name == "stress") ||
                         (potential->info().symmetry == Symmetry::o3 && r.name == "reflection");
    // What is not claimed is measured all the same.
    if (r.name == "fading frames") {
      EXPECT_GT(r.value, r.bound);
    }
    fading = fading || r.name == "fading frames";
    EXPECT_EQ(r.verdict, claimed ? CheckResult::Verdict::pass : CheckResult::Verdict::note);
  }
  EXPECT_EQ(fading, GetParam() == std::string("frames_fading"));
}

/// Queries and keys five times too large saturate the bound of the logits (2 here), and the cutoff stays smooth. Far
/// larger ones make forces curve within the step of the check: that of the layer (test_neighbour_attention) has no
/// slopes.
TEST(Transip, LocalVariantIsSmoothWhateverTheWeights) {
  TransipFixture fixture("local");
  for (const auto& entry : fixture.model.parameters.entries()) {
    if (entry.name.ends_with("query") || entry.name.ends_with("key"))
      for (double& x : fixture.model.parameters[entry.name]) x *= 5;
  }
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  std::vector<NamedStructure> structures;
  for (const auto& s : fixture.structures) structures.push_back({s.name, s.structure});
  const CheckResult cutoff = check_cutoff(checked(*potential, Precision::double_precision), structures);
  EXPECT_EQ(cutoff.verdict, CheckResult::Verdict::pass) << cutoff.value << " at " << cutoff.where;
}

TEST(Transip, IsNotEquivariantUntilItHasLearned) {
  const TransipFixture fixture("gradient_1x12");
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  const auto& water = fixture.structures[0];
  const auto subject = checked(*potential, Precision::double_precision);
  const NamedStructure named{water.name, water.structure};
  const auto largest = [&](const Orbit& orbit) {
    return summarise({measure_orbit(subject, orbit, named).consensus.energy}).max;
  };
  EXPECT_GT(largest(rotation_orbit(30)), 1e-2);
  EXPECT_GT(largest(reflection_orbit(30)), 1e-2);
  EXPECT_LE(largest(translation_orbit()), 1e-11);
  EXPECT_LE(largest(permutation_orbit(8)), 1e-11);
}

TEST(Transip, ChargeAndMultiplicityMatter) {
  const TransipFixture fixture("gradient_1x12");
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  Structure s = fixture.structures[0].structure;
  std::vector<double> energies;
  for (const int charge : {0, 2}) {
    for (const int multiplicity : {1, 3}) {
      s.charge = charge, s.multiplicity = multiplicity;
      energies.push_back(ask(*potential, {&s}).prediction.energy[0]);
    }
  }
  for (std::size_t a = 0; a < energies.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) EXPECT_GT(std::abs(energies[a] - energies[b]), 1e-3);
}

TEST(Transip, RefusesWhatItCannotTake) {
  const TransipFixture fixture("gradient_1x12");
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  Structure s = fixture.structures[0].structure;
  s.charge = 1;
  EXPECT_EQ(message_of([&] { ask(*potential, {&s}); }),
            "the structure has the charge 1, which the model does not know: it was made for -1, 0, 2");
  s.charge = 0;
  s.multiplicity = 5;
  EXPECT_EQ(message_of([&] { ask(*potential, {&s}); }),
            "the structure has the multiplicity 5, which the model does not know: it was made for 1, 2, 3");
  s.multiplicity = 1;
  s.cell = {Vec3{9, 0, 0}, {0, 9, 0}, {0, 0, 9}};
  s.periodic = {true, true, true};
  EXPECT_EQ(message_of([&] { ask(*potential, {&s}); }),
            "the model (transip) sees a whole molecule and takes no periodic structure: its local variant does");
}

// ---- create_transip ------------------------------------------------------------------------------------------------

std::string error_of(nlohmann::json config) {
  config["architecture"] = "transip";
  const DataStatistics statistics{{1, 8}, {-13.5, -430.25}, 0, 1.25, {0}, {1}};
  return message_of([&] { create_model(config, statistics, 1); });
}

TEST(CreateTransip, SizesAndWhatItRefuses) {
  const DataStatistics statistics{{1, 8}, {-13.5, -430.25}, 0, 1.25, {-1, 0}, {1, 2}};
  const ModelRecord record = create_model({{"architecture", "transip"}, {"size", "M"}}, statistics, 7);
  EXPECT_EQ(record.cutoff, 0);
  const auto size = [&](const char* name) {
    const auto made = create_model({{"architecture", "transip"}, {"size", name}}, statistics, 7);
    const auto& h = made.hyperparameters;
    return std::array<std::size_t, 5>{h["width"], h["layers"], h["heads"], h["hidden"], made.parameters.size()};
  };
  // Of a layer 2 gains, 4 d^2 of attention, 8 d^2 of its network; 6 embeddings, the last gain, d^2 + d of the energy.
  const auto count = [](std::size_t d, std::size_t layers) { return layers * (2 + 12 * d) * d + (6 + 1 + d + 1) * d; };
  EXPECT_EQ(size("S"), (std::array<std::size_t, 5>{96, 4, 2, 384, count(96, 4)}));
  EXPECT_EQ(size("M"), (std::array<std::size_t, 5>{192, 6, 4, 768, count(192, 6)}));
  EXPECT_EQ(size("L"), (std::array<std::size_t, 5>{384, 12, 8, 1536, count(384, 12)}));
  EXPECT_EQ(record.hyperparameters["charges"], (std::vector<int>{-1, 0}));
  EXPECT_EQ(record.hyperparameters["multiplicities"], (std::vector<int>{1, 2}));
  EXPECT_EQ(record.parameters.values(),
            create_model({{"architecture", "transip"}, {"size", "M"}}, statistics, 7).parameters.values());
  const auto omega = record.tables.at("rotary.frequencies").values;
  ASSERT_EQ(omega.size(), 8U);
  EXPECT_NEAR(omega[0] / omega[1], omega[1] / omega[2], 1e-12);
  EXPECT_NEAR(omega.front(), 2 * 3.14159265358979 / 1.0, 1e-12);
  EXPECT_NEAR(omega.back(), 2 * 3.14159265358979 / 40.0, 1e-12);
  const std::string where = "hyperparameters of architecture transip: ";
  EXPECT_EQ(error_of({{"size", "XL"}}), "model: 'size' must be S, M or L, found 'XL'");
  EXPECT_EQ(error_of({{"widht", 96}}), "model: unknown key 'widht'; did you mean 'width'?");
  EXPECT_EQ(
      error_of({{"width", 90}, {"heads", 2}}),
      where +
          "'width' must be 'heads' times a multiple of 6 (three directions, pairs of channels), found 90 for 2 heads");
  EXPECT_EQ(error_of({{"frames", "SO3"}}), where + "'frames' must be 'none', 'so3' or 'o3', found 'SO3'");
  EXPECT_EQ(error_of({{"frame_gap", 0}}), where + "'frame_gap' must be between 0 and 1, found 0");
  EXPECT_EQ(error_of({{"frames", "o3"}, {"latent_hidden", 8}}),
            where +
                "a model that is averaged over frames is invariant and learns no latent equivariance: set "
                "'latent_hidden' to 0, or 'frames' to none");
  EXPECT_EQ(error_of({{"latent_per_layer", true}}),
            where +
                "'latent_per_layer' asks for networks for the latent loss: set 'latent_hidden', the width of their "
                "hidden layer");
  EXPECT_EQ(error_of({{"forces", "both"}}), where + "'forces' must be 'gradient' or 'direct', found 'both'");
  EXPECT_EQ(error_of({{"wavelengths", {3.0, 2.0}}}),
            "model: 'wavelengths' must be the shortest and the longest, in Å, found [3.0,2.0]");
}

}  // namespace
}  // namespace isotrope
