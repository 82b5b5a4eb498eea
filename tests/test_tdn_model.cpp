// SPDX-License-Identifier: MIT
// A fresh TDN (create_tdn): what it refuses, the physics that the authors' program lacks and this one has, and
// gradients of a loss with both kinds of forces.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "evaluate/physics_checks.hpp"
#include "models/tdn.hpp"
#include "support/fresh_tdn.hpp"
#include "support/layer_checks.hpp"
#include "support/message_of.hpp"
#include "train/loss_pass.hpp"

namespace isotrope {
namespace {

using test::fresh, test::molecules, test::small_config, test::statistics;
using Verdict = CheckResult::Verdict;

std::string error_of(const nlohmann::json& config) {
  return testing::message_of([&] { create_model(config, statistics(), 1); });
}
std::string error_with(const char* key, const nlohmann::json& value) {
  nlohmann::json config = small_config();
  config[key] = value;
  return error_of(config);
}

// ---- create_tdn -------------------------------------------------------------------------------------------

TEST(CreateTdn, HasTheAuthorsNumberOfParameters) {
  // Their 80 columns of elements are ours of the data, and the bias of the force projection acts on nothing.
  for (const auto& [channels, layers, gaussians, expected] :
       {std::array{128, 4, 128, 883332}, {256, 6, 256, 4476676}, {16, 2, 16, 35124}}) {
    const nlohmann::json config{{"architecture", "tdn"}, {"cutoff", 4.5},     {"channels", channels},
                                {"layers", layers},      {"forces", "both"},  {"num_gaussians", gaussians},
                                {"cutoff_power", 0},     {"logit_bound", 0.0}};
    EXPECT_EQ(static_cast<int>(fresh(config).parameters.size()), expected - (80 - 6) * channels - 1);
  }
}

TEST(CreateTdn, RefusesWhatItDoesNotKnow) {
  const std::string where = "hyperparameters of architecture tdn: ";
  EXPECT_EQ(error_of(small_config()), "no error");
  EXPECT_EQ(error_with("chanels", 8), "model: unknown key 'chanels'; did you mean 'channels'?");
  EXPECT_EQ(error_with("cutoff", -1), "model: 'cutoff' must be positive (Å), found -1");
  EXPECT_EQ(error_with("heads", 5), where + "'channels' (12) must be a multiple of 'heads' (5)");
  EXPECT_EQ(error_with("l_max", 0), where + "'l_max' must be between 1 and 3, found 0");
  EXPECT_EQ(error_with("forces", "none"), where + "'forces' must be one of gradient, direct, both, found 'none'");
  EXPECT_EQ(error_with("cutoff_power", 1), where + "'cutoff_power' must be 2 or more, or 0 for no envelope, found 1");
  EXPECT_EQ(error_with("logit_bound", -1.0), where + "'logit_bound' must be between 0 (none) and 50, found -1");
  EXPECT_EQ(error_with("attention_dropout", 0.2),
            "model: 'attention_dropout' must be 0, found 0.2: this trainer drops no attention weights");
  EXPECT_EQ(error_with("coupling", "cp"),
            where + "'coupling' cp has no parity: its factors mix all paths; set 'parity' to false");
  nlohmann::json config = small_config();
  config["coupling"] = "cp";
  config["parity"] = false;
  EXPECT_EQ(error_of(config),
            "model: 'coupling' cp and 'cp_rank', the rank of the decomposed tensor (the authors have 7 for 'l_max' 1), "
            "go together: set both or none");
}

/// Rank 8 is the tensor of all paths with l <= 1, so rotations change nothing; the authors' rank 7 is not.
TEST(CreateTdn, DecomposesTheTensorWhereAsked) {
  nlohmann::json config = small_config("gradient");
  config["coupling"] = "cp";
  config["parity"] = false;
  for (const int rank : {7, 8}) {
    config["cp_rank"] = rank;
    const ModelRecord record = fresh(config);
    EXPECT_EQ(record.tables.at("cp.a").shape, (std::vector<int>{4, rank}));
    const auto potential = make_potential(record, Precision::double_precision);
    const CheckResult rotation = check_rotation(checked(*potential, Precision::double_precision), molecules());
    if (rank == 8)
      EXPECT_LE(rotation.value, rotation.bound);
    else
      EXPECT_GT(rotation.value, 1e3 * rotation.bound);
  }
}

// ---- physics ----------------------------------------------------------------------------------------------

void expect_physics(const Potential& potential, Precision precision) {
  for (const CheckResult& r : check_physics(checked(potential, precision), molecules(), true)) {
    const bool of_gradients = r.name == "forces" || r.name == "stress" || r.name == "net force";
    const bool note = of_gradients && potential.info().forces == Forces::direct;
    EXPECT_EQ(r.verdict, note ? Verdict::note : Verdict::pass)
        << r.name << ": " << r.value << " " << r.unit << " of " << r.bound << ", " << r.where;
  }
}

class TdnPhysics : public ::testing::TestWithParam<int> {};

TEST_P(TdnPhysics, HoldsForBothKindsOfForces) {
  for (const Forces kind : {Forces::gradient, Forces::direct}) {
    for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
      SCOPED_TRACE(name_of(kind));
      const auto potential = make_potential(fresh(small_config("both", GetParam())), precision);
      potential->use_forces(kind);
      expect_physics(*potential, precision);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Degrees, TdnPhysics, ::testing::Values(1, 2, 3));

/// Each thing that is mended can be left as it was, and then the check that it is for fails.
TEST(TdnPhysics, WhatIsSwitchedOffShows) {
  const auto failed = [](const char* key, const nlohmann::json& value, const std::string& check) {
    nlohmann::json config = small_config("gradient");
    config[key] = value;
    const auto potential = make_potential(fresh(config), Precision::double_precision);
    CheckedPotential subject = checked(*potential, Precision::double_precision);
    subject.info.symmetry = Symmetry::o3;
    subject.info.smooth_cutoff = true;
    bool others = false, it = false;
    for (const CheckResult& r : check_physics(subject, molecules(), true))
      (r.name == check ? it : others) |= r.verdict != Verdict::pass;
    return it && !others;
  };
  EXPECT_TRUE(failed("parity", false, "reflection"));
  EXPECT_TRUE(failed("cutoff_power", 0, "cutoff"));
}

TEST(TdnPhysics, InfoSaysWhatIsClaimed) {
  nlohmann::json config = small_config("direct");
  config["parity"] = false;
  config["cutoff_power"] = 0;
  const PotentialInfo info = make_potential(fresh(config), Precision::double_precision)->info();
  EXPECT_EQ(info.symmetry, Symmetry::so3);
  EXPECT_FALSE(info.smooth_cutoff);
  EXPECT_FALSE(info.gradient_forces);
  EXPECT_EQ(info.forces, Forces::direct);
  EXPECT_EQ(info.message_passing_layers, 3);
  EXPECT_EQ(make_potential(testing::read_tdn_fixture("a").model, Precision::double_precision)->info().symmetry,
            Symmetry::none);
}

TEST(TdnPhysics, AKindOfForcesThatIsNotThereIsRefused) {
  for (const auto& [has, asked, other] :
       {std::array{"gradient", "direct", "gradient"}, {"direct", "gradient", "direct"}}) {
    const auto potential = make_potential(fresh(small_config(has)), Precision::double_precision);
    try {
      potential->use_forces(std::string(asked) == "direct" ? Forces::direct : Forces::gradient);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()),
                fmt::format("the model (tdn) has no {} forces: its forces are {} ones", asked, other));
    }
  }
}

/// Tables stand for the radial networks within the tolerance that was asked for.
TEST(TdnPhysics, TablesAreWithinTheirTolerance) {
  const ModelRecord record = fresh(small_config());
  const auto exact = make_potential(record, Precision::double_precision);
  const auto tabulated = make_potential(record, Precision::double_precision);
  const auto report = tabulated->tabulate_radial(1e-6);
  ASSERT_TRUE(report.has_value());
  EXPECT_LE(report->value_error, 1e-6);
  const auto a = checked(*exact, Precision::double_precision), b = checked(*tabulated, Precision::double_precision);
  for (const auto& [name, structure] : molecules()) {
    const Observables x = a.evaluate(structure), y = b.evaluate(structure);
    EXPECT_LE(std::abs(x.energy - y.energy), 1e-5 * structure.size());
    for (int i = 0; i < structure.size(); ++i) {
      const Vec3 difference = x.forces[i] - y.forces[i];
      EXPECT_LE(std::sqrt(dot(difference, difference)), 1e-4);
    }
  }
  EXPECT_EQ(check_forces(b, molecules()).verdict, Verdict::pass);
}

// ---- gradients of a loss ----------------------------------------------------------------------------------

/// Molecules of different sizes, one of them with an atom out of reach of the others.
Batch labelled_batch(std::vector<NamedStructure>& structures, const ModelRecord& record) {
  structures = molecules();
  structures[0].structure.numbers.push_back(8);
  structures[0].structure.positions.push_back({40, 0, 0});
  Batch batch;
  std::vector<const Structure*> pointers;
  SplitMix random(4);
  for (auto& [name, s] : structures) {
    s.energy = random.normal();
    for (const int z : s.numbers) *s.energy += record.atomic_energies[SpeciesMap(record.elements)(z)];
    for (int i = 0; i < s.size(); ++i) s.forces.push_back({random.normal(), random.normal(), random.normal()});
    batch.labels.append(s, 1);
    pointers.push_back(&s);
  }
  batch.graph = make_graph(pointers, SpeciesMap(record.elements), record.cutoff);
  return batch;
}

/// The gradient along some directions against finite differences of the loss itself.
void check_gradient(const nlohmann::json& config, const LossConfig& loss) {
  const ModelRecord record = fresh(config);
  const auto potential = make_potential(record, Precision::double_precision);
  std::vector<NamedStructure> structures;
  const Batch batch = labelled_batch(structures, record);
  const LossCounts counts = loss_counts(batch.labels);
  LossPass pass(*potential, loss);
  std::vector<double> gradient(record.parameters.size(), 0), again(gradient.size(), 0);
  const LossTerms terms = pass.add_gradient(batch, counts, gradient);
  EXPECT_TRUE(std::isfinite(terms.total()));
  // What the first call left in the workspace serves the second.
  pass.add_gradient(batch, counts, again);
  test::expect_close(again, gradient, 1e-12);
  const std::vector<double> here = record.parameters.values();
  for (const Parameters::Entry& entry : record.parameters.entries()) {
    std::vector<double> direction(here.size(), 0);
    SplitMix random(entry.offset + 1);
    for (std::size_t k = 0; k < entry.size; ++k) direction[entry.offset + k] = random.normal();
    const auto at = [&](double e) {
      potential->set_parameters(test::sum(here, e, direction));
      ErrorSums errors;
      return pass.measure(batch, counts, errors).total();
    };
    const double h = 1e-5, expected = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    EXPECT_LE(std::abs(test::dot(gradient, direction) - expected), 2e-7 * std::max(1.0, std::abs(expected)))
        << entry.name;
  }
}

LossConfig loss_of(double forces, double direct, double stress = 0) {
  LossConfig loss;
  loss.energy = 10;
  loss.forces = forces;
  loss.direct_forces = direct;
  loss.stress = stress;
  return loss;
}

TEST(TdnGradient, GradientForces) {
  check_gradient(small_config("gradient"), loss_of(1, 0));
}
TEST(TdnGradient, DirectForces) {
  check_gradient(small_config("direct", 2), loss_of(1, 0));
}
TEST(TdnGradient, BothKindsOfForces) {
  check_gradient(small_config("both"), loss_of(1, 2));
}
TEST(TdnGradient, WithoutWhatIsMended) {
  nlohmann::json config = small_config("both", 2);
  config["parity"] = config["isolated_zero"] = false;
  config["cutoff_power"] = 0;
  config["logit_bound"] = 0.0;
  check_gradient(config, loss_of(1, 1));
}

TEST(TdnModel, ClaimsASmoothCutoffWhereNothingIsLeftOfANeighbour) {
  const auto smooth = [](const char* key, const nlohmann::json& value) {
    nlohmann::json config = small_config("both");
    config[key] = value;
    return make_potential(fresh(config), Precision::double_precision)->info().smooth_cutoff;
  };
  EXPECT_TRUE(smooth("parity", false));
  EXPECT_FALSE(smooth("isolated_zero", false));
  EXPECT_FALSE(smooth("cutoff_power", 0));
}

TEST(TdnGradient, LossesThatTheModelCannotHaveAreRefused) {
  const auto error = [](const char* forces, const LossConfig& loss) -> std::string {
    return testing::message_of(
        [&] { LossPass pass(*make_potential(fresh(small_config(forces)), Precision::double_precision), loss); });
  };
  EXPECT_EQ(
      error("direct", loss_of(1, 0, 1)),
      "loss.stress: the model has direct forces, for which there is no stress: set it to 0, or train a model with "
      "gradient forces");
  EXPECT_EQ(error("direct", loss_of(1, 1)),
            "loss.direct_forces is the weight of direct forces beside gradient forces, and the model has direct forces "
            "alone: set it to 0, or train a model with both");
}

}  // namespace
}  // namespace isotrope
