// SPDX-License-Identifier: MIT
#include "io/census.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "geometry/spacing.hpp"
#include "io/census_report.hpp"
#include "io/histogram.hpp"
#include "io/rejections.hpp"
#include "io/shards.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::TemporaryFolder;

namespace {

Structure hydrogen(double distance, const std::string& group = "") {
  Structure s;
  s.numbers = {1, 1};
  s.positions = {{0, 0, 0}, {0, 0, distance}};
  s.energy = -31.7;
  s.forces = {{0, 0, 0.1}, {0, 0, -0.1}};
  s.charge = 0;
  s.multiplicity = 1;
  s.group = group;
  return s;
}

Structure atom(int number, double energy) {
  Structure s;
  s.numbers = {number};
  s.positions = {{0, 0, 0}};
  s.energy = energy;
  return s;
}

Census census_of(const std::vector<Structure>& structures) {
  Census census;
  for (const Structure& s : structures) census.add(s);
  return census;
}

void write(const std::string& path, const std::vector<Structure>& structures, const nlohmann::json& census) {
  DatasetWriter writer(path);
  for (const Structure& s : structures) writer.add(s);
  writer.commit({{"level_of_theory", "none"}}, true, census);
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Spacing, MoleculesCellsAndOddOnes) {
  EXPECT_EQ(spacing_of(hydrogen(0.74), 6).closest, 0.74);
  EXPECT_EQ(spacing_of(hydrogen(20), 6).loneliest, 20);
  EXPECT_EQ(spacing_of(hydrogen(0), 6).closest, 0);
  Structure crystal = atom(11, -1);  // its only neighbours are its own images
  crystal.periodic = {true, true, true};
  crystal.cell = {Vec3{4, 0, 0}, {3.9, 1, 0}, {0, 0, 5}};
  EXPECT_NEAR(spacing_of(crystal, 6).closest, std::sqrt(0.01 + 1), 1e-12);
  crystal.numbers = {11, 11};
  crystal.positions = {{1, 1, 1}, {1, 1, 1}};
  EXPECT_EQ(spacing_of(crystal, 6).closest, 0);
  crystal.positions = {{1, 1, 1}, {1, 1, 2}};
  crystal.cell[2] = {0, 0, 0};  // no volume: check_structure() refuses such a one elsewhere
  EXPECT_EQ(spacing_of(crystal, 6).closest, 1);

  // More atoms than are compared pair by pair, against all pairs.
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0, 30);
  Structure many;
  for (int i = 0; i < 700; ++i) {
    many.numbers.push_back(1);
    many.positions.push_back({uniform(random), uniform(random), uniform(random)});
  }
  double closest = 1e9, loneliest = 0;
  for (int i = 0; i < many.size(); ++i) {
    double nearest = 1e9;
    for (int j = 0; j < many.size(); ++j) {
      Vec3 d;
      for (int k = 0; k < 3; ++k) d[k] = many.positions[j][k] - many.positions[i][k];
      if (i != j) nearest = std::min(nearest, std::sqrt(dot(d, d)));
    }
    closest = std::min(closest, nearest);
    loneliest = std::max(loneliest, nearest);
  }
  EXPECT_NEAR(spacing_of(many, 6).closest, closest, 1e-12);
  EXPECT_NEAR(spacing_of(many, 6).loneliest, loneliest, 1e-12);
}

TEST(Census, OddGeometriesDuplicatesAndSplits) {
  std::vector<Structure> structures = {hydrogen(0.74), hydrogen(0.2), hydrogen(0.74), hydrogen(9), hydrogen(0.1)};
  structures[3].split = "test";
  const Census census = census_of(structures);
  EXPECT_EQ(census.duplicates(), 1);
  const nlohmann::json json = census.json();
  EXPECT_EQ(json["atoms_too_close"],
            (nlohmann::json{{"closer_than_angstrom", 0.3}, {"structures", 2}, {"first_structure", 1}}));
  EXPECT_EQ(json["atoms_far_apart"],
            (nlohmann::json{{"farther_than_angstrom", 6.0}, {"structures", 1}, {"first_structure", 3}}));
  EXPECT_EQ(json["splits"], (nlohmann::json{{"", 4}, {"test", 1}}));
  EXPECT_EQ(
      census.lines(),
      (std::vector<std::string>{
          "structures    5 (2 to 2 atoms; 0 periodic, 0 isolated atoms)", "atoms         10: H 10",
          "labels        energy all, forces all, stress none, charge all, multiplicity all", "charge, 2S+1  (0, 1) 5",
          "energy        -31.7000 to -31.7000 eV",
          "|force|       0.1000 to 0.1000 eV/Å, root mean square of a component 0.0577", "closest atoms 0.1000 Å apart",
          "odd           2 structures have atoms that are closer than 0.3 Å (the first: structure 1)",
          "odd           1 structures have an atom that is farther from all others than 6 Å (the first: structure 3)",
          "config types  (none) 5", "groups        (none) 5", "split         (none) 4, test 1",
          "duplicates    1 structures have the elements and positions of an earlier one"}));
}

TEST(Census, OfAMillionGroupsTheLargestAreKept) {
  Census census;
  Structure s = atom(1, -13.6);
  for (int i = 0; i < 20000; ++i) {
    s.group = fmt::format("group {:05d}", i);
    census.add(s);
    if (i % 5000 == 7) census.add(s);
  }
  const nlohmann::json json = census.json();
  EXPECT_EQ(json["groups_total"], 20000);
  ASSERT_EQ(json["groups"].size(), 100u);
  EXPECT_EQ(json["groups"]["group 15007"], 2);
  EXPECT_EQ(json["groups"]["group 00000"], 1);
  EXPECT_LT(json.dump().size(), 10000u);
  const auto lines = census.lines();
  EXPECT_TRUE(
      lines.at(5).starts_with("groups        group 00007 2, group 05007 2, group 10007 2, group 15007 2, group "
                              "00000 1, group 00001 1,"))
      << lines.at(5);
  EXPECT_TRUE(lines.at(5).ends_with(", ... 20000 in all"));
}

TEST(Census, StatedAndCounted) {
  const nlohmann::json counted = census_of({hydrogen(0.74), hydrogen(0.75)}).json();
  nlohmann::json stated = counted;
  stated["rejected"] = 3;  // nothing that could be counted again
  stated.erase("duplicates");
  stated["force_rms_ev_per_angstrom"] = counted["force_rms_ev_per_angstrom"].get<double>() * (1 + 1e-13);
  check_census(stated, counted, "a.h5");
  stated["labels"]["forces"] = 1;
  EXPECT_EQ(error_of([&] { check_census(stated, counted, "a.h5"); }),
            "a.h5: the census in the file states labels = "
            "{\"charge\":2,\"energy\":2,\"forces\":1,\"multiplicity\":2,\"stress\":0}, counted: "
            "{\"charge\":2,\"energy\":2,\"forces\":2,\"multiplicity\":2,\"stress\":0}; `isotrope convert` writes a new "
            "file with a right census");
}

TEST(Summary, NeedsNoArrayAndFindsWrongShapes) {
  TemporaryFolder folder;
  const std::string path = folder / "data.h5";
  const std::vector<Structure> structures = {hydrogen(0.74), atom(1, -13.6)};
  write(path, structures, census_of(structures).json());
  const DatasetSummary summary = read_summary(path);
  EXPECT_EQ(summary.structures, 2);
  EXPECT_EQ(summary.atoms, 3);
  EXPECT_EQ(summary.census, census_of(structures).json());
  EXPECT_EQ(summary.provenance["level_of_theory"], "none");
  EXPECT_EQ(summary.content_hash, Dataset::open(path).content_hash());

  write(path, structures, nullptr);
  EXPECT_TRUE(read_summary(path).census.is_null());
  write(path, structures, census_of({hydrogen(0.74)}).json());
  EXPECT_EQ(error_of([&] { read_summary(path); }),
            path + ": the census in the file is of 1 structures and 2 atoms, but there are 2 and 3");
  write(path, structures, nlohmann::json::object());
  EXPECT_EQ(error_of([&] { read_summary(path); }),
            path + ": the census in the file is of null structures and null atoms, but there are 2 and 3");
  write(path, structures, nlohmann::json::array());
  EXPECT_EQ(error_of([&] { read_summary(path); }), path + ": attribute 'census': expected a JSON object");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  EXPECT_EQ(error_of([&] { read_summary(path); }), "cannot open " + path + ": truncated or not an HDF5 file");
}

TEST(Rejections, CountsReasonsNotParticulars) {
  Rejections rejections;
  for (int i = 0; i < 5; ++i)
    rejections.add(
        fmt::format("dir/a.lmdb: key 00{}7 hf step {}: multiplicity 1 does not agree with {} electrons", i, i, i),
        "dir/a.lmdb");
  rejections.add("b.xyz: frame 3 (line 17): 'Xx' is not an element", "b.xyz");
  rejections.add("b.xyz: frame 4 (line 21): 'Yy' is not an element", "b.xyz");
  EXPECT_EQ(rejections.json("x.log"), nlohmann::json::parse(R"({"entries":7,"log":"x.log","reasons":[
              {"entries":5,"first":"dir/a.lmdb: key 0007 hf step 0: multiplicity 1 does not agree with 0 electrons"},
              {"entries":2,"first":"b.xyz: frame 3 (line 17): 'Xx' is not an element"}]})"));
}

TEST(Histogram, WidthGrowsUntilTheBinsAreFew) {
  Histogram exact(1, 10);
  for (int value : {3, 3, 5}) exact.add(value);
  auto bins = exact.bins(60, 0.001);
  ASSERT_EQ(bins.size(), 3u);
  EXPECT_EQ(bins[0].from, 3);
  EXPECT_EQ(bins[0].count, 2);
  EXPECT_EQ(bins[1].count, 0);
  EXPECT_EQ(bins[2].to, 6);

  std::mt19937_64 random(1);
  std::normal_distribution<double> normal(-5, 2);
  Histogram many(1e-6, 4096);
  for (int i = 0; i < 100000; ++i) many.add(normal(random));
  many.add(1e300);
  many.add(-1e300);
  bins = many.bins(60, 0.001);
  EXPECT_LE(bins.size(), 60u);
  EXPECT_GE(bins.size(), 30u);
  std::int64_t total = 0;
  double mean = 0;
  for (std::size_t k = 0; k < bins.size(); ++k) {
    if (k > 0) {
      EXPECT_NEAR(bins[k].from, bins[k - 1].to, 1e-12);
    }
    total += bins[k].count;
    mean += static_cast<double>(bins[k].count) * 0.5 * (bins[k].from + bins[k].to) / 100002;
  }
  EXPECT_EQ(total, 100002);
  EXPECT_NEAR(mean, -5, 0.05);
  EXPECT_TRUE(Histogram(1, 10).bins(60, 0.001).empty());
}

TEST(Report, TablesOfASmallSet) {
  TemporaryFolder folder;
  const std::vector<Structure> structures = {hydrogen(0.74), hydrogen(0.76), atom(1, -13.5)};
  write(folder / "data.h5", structures, census_of(structures).json());
  write_census_report({folder / "data.h5"}, read_summary(folder / "data.h5"), std::nullopt, folder / "report");
  const auto table = [&](const std::string& name) { return text_of(folder / ("report/" + name)); };
  EXPECT_EQ(table("sizes.csv"), "from_atoms,to_atoms,structures\n1,2,1\n2,3,2\n");
  EXPECT_EQ(table("elements.csv"), "element,atomic_number,atoms,structures\nH,1,5,3\n");
  EXPECT_EQ(table("charges.csv"), "charge,multiplicity,structures\n0,1,2\n");
  EXPECT_EQ(table("forces.csv"), "from_ev_per_angstrom,to_ev_per_angstrom,atoms\n0.1,0.125893,4\n");
  EXPECT_EQ(table("distances.csv"), "from_angstrom,to_angstrom,structures\n0.74,0.75,1\n0.75,0.76,0\n0.76,0.77,1\n");
  // (-31.7 + 27) / 2 = -2.35 eV an atom, in bins of 1e-6
  EXPECT_EQ(table("energies.csv"), "from_ev_per_atom,to_ev_per_atom,structures\n-2.35,-2.349999,2\n");
  const auto summary = nlohmann::json::parse(table("summary.json"));
  EXPECT_EQ(summary["energy_reference"], "isolated atoms of the data");
  EXPECT_EQ(summary["reference_energies_ev"]["H"], -13.5);

  write(folder / "oxygen.h5", {atom(8, -2042)}, nullptr);
  EXPECT_EQ(error_of([&] {
              write_census_report({folder / "data.h5"}, read_summary(folder / "data.h5"), folder / "oxygen.h5",
                                  folder / "report");
            }),
            (folder / "oxygen.h5") + ": expected an isolated atom of each element with its energy, found none of H");
}

TEST(Shards, RoundTripAndDamage) {
  TemporaryFolder folder;
  std::vector<Structure> structures;
  for (int i = 0; i < 7; ++i) structures.push_back(hydrogen(0.7 + 0.01 * i, fmt::format("g{}", i % 2)));
  const std::string list = folder / "set.shards";
  ShardWriter writer(list, folder / "", 3, {{"level_of_theory", "none"}});
  for (const Structure& s : structures) writer.add(s);
  writer.commit({{"level_of_theory", "none"}}, census_of(structures).json());
  EXPECT_EQ(folder.files(), 4);

  const ShardList shards = read_shards(list);
  EXPECT_EQ(shards.files,
            (std::vector<std::string>{folder / "set-00000.h5", folder / "set-00001.h5", folder / "set-00002.h5"}));
  EXPECT_EQ(shards.summary.structures, 7);
  EXPECT_EQ(shards.summary.atoms, 14);
  EXPECT_EQ(read_summary(shards.files[2]).census["structures"], 1);
  EXPECT_EQ(shard_files("other.h5"), (std::vector<std::string>{"other.h5"}));
  auto reader = open_reader(list, "", {});
  int count = 0;
  for (Structure s; reader->next(s); ++count) EXPECT_EQ(s.positions, structures.at(count).positions);
  EXPECT_EQ(count, 7);
  EXPECT_EQ(reader->progress(), 1);

  std::filesystem::rename(folder / "set-00001.h5", folder / "away.h5");
  EXPECT_EQ(error_of([&] { read_shards(list); }), list + ": the shard " + (folder / "set-00001.h5") + " is missing");
  std::filesystem::copy_file(folder / "set-00000.h5", folder / "set-00001.h5");
  EXPECT_EQ(error_of([&] { read_shards(list); }),
            fmt::format("{}: expected {} with the content hash {}, found {}: it is not the file that was listed", list,
                        folder / "set-00001.h5", read_summary(folder / "away.h5").content_hash,
                        read_summary(folder / "set-00000.h5").content_hash));
  EXPECT_EQ(error_of([&] { read_shards(folder.write("b.shards", "{}")); }),
            (folder / "b.shards") + ": expected a list of shards as `isotrope convert` writes it, found another file");
  EXPECT_EQ(
      error_of([&] { read_shards(folder.write("b.shards", R"({"format":"isotrope-shards","format_version":2})")); }),
      (folder / "b.shards") +
          ": list of shards of version 2 is newer than 1, the newest that this isotrope reads: use a newer isotrope");
  EXPECT_EQ(
      error_of([&] { read_shards(folder.write("b.shards", R"({"format":"isotrope-shards","format_version":1})")); }),
      (folder / "b.shards") + ": the list of shards is damaged");
  EXPECT_EQ(error_of([&] { read_shards(folder / "c.shards"); }),
            "cannot open " + (folder / "c.shards") + ": file not found");
}

}  // namespace
