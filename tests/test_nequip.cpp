// SPDX-License-Identifier: MIT
// NequIP against sevenn 0.13.0 in double with the same weights: energies, forces, stress, and gradients of an energy +
// force + stress loss.
#include <gtest/gtest.h>

#include <cmath>

#include "support/message_of.hpp"
#include "support/parity_checks.hpp"

namespace isotrope {
namespace {

using testing::compare;
using testing::evaluate;
using testing::ModelFixture;

const char* const names[] = {"so3_xplor", "so3_solid", "o3_parity", "so3_l3_bias", "so3_modality"};

ModelFixture fixture_of(const std::string& name) {
  return testing::read_fixture("nequip/" + name);
}

class NequipParity : public ::testing::TestWithParam<const char*> {};

TEST_P(NequipParity, DoubleEqualsSevenn) {
  const ModelFixture fixture = fixture_of(GetParam());
  const auto potential = make_potential(fixture.model, Precision::double_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 1e-11, 1e-10);
}

TEST_P(NequipParity, SingleIsWithinItsRounding) {
  const ModelFixture fixture = fixture_of(GetParam());
  const auto potential = make_potential(fixture.model, Precision::single_precision);
  for (const auto& structure : fixture.structures) compare(*potential, structure, 2e-4, 2e-4);
}

TEST_P(NequipParity, LossGradientEqualsAutograd) {
  const ModelFixture fixture = fixture_of(GetParam());
  if (!fixture.has_training) GTEST_SKIP() << "this fixture has no training part";
  testing::compare_loss_gradient(fixture);
}

TEST_P(NequipParity, TablesAreWithinTheirTolerance) {
  testing::compare_tables(fixture_of(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, NequipParity, ::testing::ValuesIn(names),
                         [](const auto& info) { return std::string(info.param); });

/// The fixtures have what sevenn's models differ in.
TEST(NequipFixtures, CoverThePeculiarities) {
  const auto hyper = [](const char* name) { return fixture_of(name).model.hyperparameters; };
  EXPECT_EQ(hyper("so3_xplor")["irreps"][1], "6x0e+4x1e+3x2e");
  EXPECT_EQ(hyper("so3_xplor")["cutoff_function"]["kind"], "xplor");
  EXPECT_EQ(hyper("so3_xplor")["denominators"], (std::vector<double>{11.5, 9.25, 14}));
  EXPECT_EQ(hyper("so3_solid")["normalize_harmonics"], false);
  EXPECT_EQ(hyper("so3_solid")["self_connection"], (std::vector<std::string>{"species", "species"}));
  EXPECT_EQ(hyper("so3_solid")["train_denominators"], true);
  EXPECT_EQ(hyper("o3_parity")["parity"], true);
  EXPECT_EQ(hyper("o3_parity")["irreps"][3], "3x0e+3x0o+3x1e+3x1o+3x2e+3x2o");
  EXPECT_EQ(hyper("so3_l3_bias")["l_max"], 3);
  EXPECT_EQ(hyper("so3_l3_bias")["bias"], true);
  EXPECT_EQ(hyper("so3_modality")["bias"], true);
}

/// A file may come from another version of e3nn, whose odd 3j symbols have the other sign.
TEST(NequipTables, SignsOfTheFileCount) {
  ModelFixture fixture = fixture_of("so3_l3_bias");
  const std::string name = "wigner_3j.1.1.1";
  const auto before =
      evaluate(*make_potential(fixture.model, Precision::double_precision), {&fixture.structures[0].structure});
  for (double& value : fixture.model.tables.at(name).values) value = -value;
  const auto after =
      evaluate(*make_potential(fixture.model, Precision::double_precision), {&fixture.structures[0].structure});
  double change = 0;
  for (std::size_t i = 0; i < before.forces.size(); ++i) {
    for (int k = 0; k < 3; ++k) change = std::max(change, std::abs(after.forces[i][k] - before.forces[i][k]));
  }
  EXPECT_GT(change, 1e-4);  // eV/Å; rounding is 1e-12
}

std::string error_of(const ModelRecord& record) {
  return testing::message_of([&] { make_potential(record, Precision::double_precision); });
}

TEST(NequipTables, AreChecked) {
  ModelRecord record = fixture_of("so3_solid").model;
  record.tables.at("wigner_3j.0.1.1").values[4] = 0.5;
  EXPECT_EQ(error_of(record),
            "model: number 4 of table wigner_3j.0.1.1 is 0.5, neither that of the Wigner 3j symbol, "
            "0.5773502692, nor its negative");
  record.tables.at("wigner_3j.0.1.1").values.pop_back();
  EXPECT_EQ(error_of(record), "model: table wigner_3j.0.1.1 has 8 numbers, expected 9");
  record.tables.erase("wigner_3j.0.1.1");
  EXPECT_EQ(error_of(record), "model: expected the table wigner_3j.0.1.1, found none: the file is incomplete");
}

}  // namespace
}  // namespace isotrope
