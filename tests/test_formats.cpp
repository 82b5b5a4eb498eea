// SPDX-License-Identifier: MIT
// Files that ASE, lmdb, gzip and pickle of Python wrote (scripts/make_dataset_fixtures.py), against what Python reads.
#include <gtest/gtest.h>

#include "support/expected_structures.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::Expected;
using isotrope::testing::fixture;
using isotrope::testing::read_all;
using isotrope::testing::report_of;

namespace {

TEST(OMol25, EveryNumberAsAseReadsIt) {
  ReadOptions options;
  options.group = "{data_id}";
  const auto structures = read_all(fixture("rows.aselmdb"), options);
  const Expected expected("expected_rows.h5");
  ASSERT_EQ(static_cast<int>(structures.size()), expected.size());
  ASSERT_EQ(expected.size(), 22);  // 24 written, 2 deleted
  for (int i = 0; i < expected.size(); ++i) {
    expected.compare(i, structures[i]);
    EXPECT_EQ(structures[i].charge, expected.integer("charge", i));
    EXPECT_EQ(structures[i].multiplicity, expected.integer("multiplicity", i));
  }
}

TEST(OMol25, ReportCountsLabels) {
  EXPECT_EQ(report_of(fixture("rows.aselmdb"), {}),
            (std::vector<std::string>{"energy from 'energy' in 22 of 22 structures",
                                      "forces from 'forces', before constraints in 18 of 22 structures",
                                      "charge from 'charge' of data in 22 of 22 structures",
                                      "multiplicity from 'spin' of data in 22 of 22 structures",
                                      "stress from 'stress' in 5 of 22 structures",
                                      "constraints, not applied, in 4 of 22 structures"}));
}

TEST(OMol25, PatternsAreFilledFromDataAndKeyValuePairs) {
  ReadOptions options;
  options.group = "{source}, {run}, row {id}";
  options.config_type = "{num_electrons}";
  const auto structures = read_all(fixture("rows.aselmdb"), options);
  EXPECT_EQ(structures[0].group, "made/0, r0, row 1");
  EXPECT_EQ(structures[1].group, "made/2, r2, row 3");
  int electrons = -*structures[0].charge;
  for (int z : structures[0].numbers) electrons += z;
  EXPECT_EQ(structures[0].config_type, std::to_string(electrons));
}

TEST(OMol25, ChargeMustComeFromSomewhere) {
  ReadOptions options;
  options.charge_key = "net_charge";
  const std::string path = fixture("rows.aselmdb");
  EXPECT_EQ(
      error_of([&] { read_all(path, options); }),
      path + ": key 1: no total charge ('net_charge' in data): say --charge for rows without one, or --charge-key");
  options.charge = 3;
  options.multiplicity_key = "s";
  EXPECT_EQ(error_of([&] { read_all(path, options); }),
            path +
                ": key 1: no multiplicity ('s' in data): say --multiplicity for rows without one, or "
                "--multiplicity-key");
  options = {};
  options.charge = 3;  // only for rows without one
  EXPECT_EQ(read_all(path, options)[0].charge, read_all(path, {})[0].charge);
}

TEST(PubChemQCR, EveryNumberAsPickleReadsIt) {
  ReadOptions options;
  options.stage = "DFT_1st";
  const auto structures = read_all(fixture("steps.lmdb"), options);
  const Expected expected("expected_steps.h5");
  ASSERT_EQ(static_cast<int>(structures.size()), expected.size());
  ASSERT_GE(expected.size(), 30);
  for (int i = 0; i < expected.size(); ++i) {
    expected.compare(i, structures[i]);
    EXPECT_EQ(structures[i].step, expected.integer("step", i));
    EXPECT_EQ(structures[i].config_type, "DFT_1st");
    EXPECT_FALSE(structures[i].charge || structures[i].multiplicity);
  }
}

TEST(PubChemQCR, ReportCountsWhatIsMissing) {
  ReadOptions options;
  options.stage = "DFT_1st";
  const auto lines = report_of(fixture("steps.lmdb"), options);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "energy and forces of stage DFT_1st, Hartree and Hartree/Bohr converted with 1 Hartree = 27.211386245988 "
            "eV, 1 Bohr = 0.529177210903 Å (CODATA 2018)");
  EXPECT_EQ(lines[1], "no stage DFT_1st in 8 of 24 trajectories");
  EXPECT_TRUE(lines[2].starts_with("no energy or no gradient, left out in ")) << lines[2];
  options.stage = "pm3";
  EXPECT_EQ(report_of(fixture("steps.lmdb"), options)[1], "no stage pm3 in 0 of 24 trajectories");
}

TEST(PubChemQCR, ChargeGroupAndStageOfTheUser) {
  ReadOptions options;
  const std::string path = fixture("steps.lmdb");
  EXPECT_EQ(error_of([&] { read_all(path, options); }),
            path + ": PubChemQCR has several stages of each relaxation: say --stage pm3|hf|DFT_1st|DFT_2nd");
  options.stage = "dft_1st";
  EXPECT_EQ(error_of([&] { read_all(path, options); }),
            "--stage: expected pm3, hf, DFT_1st, DFT_2nd, found 'dft_1st': did you mean 'DFT_1st'?");
  options.stage = "hf";
  options.group = "{stage} of {cid}";
  const Structure first = read_all(path, options)[0];
  EXPECT_EQ(first.group, "hf of 000000984");
  options.charge = 1;
  auto reader = open_reader(path, "", options);
  Structure s;
  ASSERT_TRUE(reader->next(s));
  EXPECT_EQ(s.charge, 1);
}

TEST(Formats, PartsOfAFileMakeTheWhole) {
  for (const char* name : {"rows.aselmdb", "steps.lmdb"}) {
    ReadOptions options;
    if (std::string(name) == "steps.lmdb") options.stage = "DFT_2nd";
    const std::string path = fixture(name);
    const auto whole = read_all(path, options);
    const std::int64_t entries = format_of(path, "").count_entries(path);
    EXPECT_EQ(entries, std::string(name) == "steps.lmdb" ? 24 : 22);
    std::vector<Structure> parts;
    for (std::int64_t begin = 0; begin < entries; begin += 7) {
      options.entries = {begin, begin + 7};
      for (Structure& s : read_all(path, options)) parts.push_back(std::move(s));
    }
    ASSERT_EQ(parts.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(parts[i].positions, whole[i].positions);
  }
}

}  // namespace
