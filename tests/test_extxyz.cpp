// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "io/extxyz.hpp"
#include "io/extxyz_frame.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::TemporaryFolder;

namespace {

std::vector<Structure> read_all(const std::string& path, const ReadOptions& options = {}) {
  auto reader = open_reader(path, "", options);
  std::vector<Structure> structures(1);
  while (reader->next(structures.back())) structures.emplace_back();
  structures.pop_back();
  return structures;
}

const std::string water = "3\nProperties=species:S:1:pos:R:3{} {}\nO 0 0 0.1{}\nH 0 0.8 -0.5{}\nH 0 -0.8 -0.5{}\n";
std::string water_with(const std::string& info, const std::string& columns = "", const std::string& values = "") {
  return fmt::format(fmt::runtime(water), columns, info, values, values, values);
}

class Extxyz : public ::testing::Test {
 protected:
  Structure read(const std::string& text, const ReadOptions& options = {}) {
    return read_all(folder.write("a.xyz", text), options).at(0);
  }
  /// The message without the path in front.
  std::string error(const std::string& text, const ReadOptions& options = {}) {
    std::string message = error_of([&] { read(text, options); });
    std::string path = folder / "a.xyz";
    EXPECT_EQ(message.find(path), 0u) << message;
    return message.substr(std::min(message.size(), path.size() + 2));
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_F(Extxyz, ColumnsInAnyOrderAndQuotes) {
  Structure s = read(
      "2\r\n"
      "Properties=tag:S:1:forces:R:3:Z:I:1:extra:R:2:pos:R:3:flag:L:1 energy = -1.25e1 note=\"it said \\\"a = b\\\"\" "
      "Lattice='4 0 0 0 5 0 1 0 6' config_type={C O} charge=+1 multiplicity=2.0 bare weight=0.5 pbc=\"T F T\"\r\n"
      "x 0.1 0.2 0.3 6 9 9 1 2 3 T\r\n"
      "y +0.4 -5E-1 .6 8 9 9 4 5 6 F\r\n\r\n");
  EXPECT_EQ(s.numbers, (std::vector<int>{6, 8}));
  EXPECT_EQ(s.positions, (std::vector<Vec3>{{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(s.forces, (std::vector<Vec3>{{0.1, 0.2, 0.3}, {0.4, -0.5, 0.6}}));
  EXPECT_EQ(s.energy, -12.5);
  EXPECT_EQ(s.charge, 1);
  EXPECT_EQ(s.multiplicity, 2);
  EXPECT_EQ(s.config_type, "C O");
  EXPECT_EQ(s.weight, 0.5);
  EXPECT_EQ(s.periodic, (std::array<bool, 3>{true, false, true}));
  EXPECT_EQ(s.cell, (Mat3{Vec3{4, 0, 0}, {0, 0, 0}, {1, 0, 6}}));
}

TEST_F(Extxyz, CommentLine) {
  auto info = extxyz::parse_info(R"(a=1 b="x \"y\"" c='p q' d={1 2} e=[[1, 2], [3]] "f g"=h i)", "w");
  std::map<std::string, std::string> expected = {{"a", "1"},           {"b", "x \"y\""}, {"c", "p q"}, {"d", "1 2"},
                                                 {"e", "[1, 2], [3]"}, {"f g", "h"},     {"i", "T"}};
  EXPECT_EQ(info, expected);
}

TEST_F(Extxyz, PlainXyzAndPeriodicityByDefault) {
  Structure plain = read("1\nplain comment\nHe 1 2 3\n");
  EXPECT_EQ(plain.periodic, (std::array<bool, 3>{}));
  EXPECT_FALSE(plain.energy || plain.charge || plain.multiplicity || plain.stress);
  EXPECT_TRUE(plain.forces.empty());
  EXPECT_EQ(read("1\nLattice=\"2 0 0 0 2 0 0 0 2\"\nHe 1 2 3\n").periodic, (std::array<bool, 3>{true, true, true}));
}

TEST_F(Extxyz, Stress) {
  const std::string cell = "Lattice=\"2 0 0 0 2 0 0 0 2\" ";
  const Mat3 expected = {Vec3{1, 6, 5}, {6, 2, 4}, {5, 4, 3}};
  EXPECT_EQ(read(water_with(cell + "stress=\"1 2 3 4 5 6\"")).stress, expected);
  EXPECT_EQ(read(water_with(cell + "stress=\"1 6 5 6 2 4 5 4 3\"")).stress, expected);
  EXPECT_EQ(read(water_with(cell + "virial=\"-8 -48 -40 -48 -16 -32 -40 -32 -24\"")).stress, expected);
  ReadOptions compression;
  compression.stress_sign = -1;
  EXPECT_EQ(read(water_with(cell + "stress=\"-1 -2 -3 -4 -5 -6\""), compression).stress, expected);
  EXPECT_EQ(error(water_with("stress=\"1 2 3 4 5 6\"")),
            "frame 0 (line 2): stress: a stress needs a cell that is periodic in all directions");
  EXPECT_EQ(error(water_with(cell + "stress=\"1 6 5 7 2 4 5 4 3\"")),
            "frame 0 (line 2): expected a symmetric stress, found entries that differ by 1 eV/Å^3");
  EXPECT_EQ(error(water_with(cell + "virial=\"1 2 3\"")), "frame 0 (line 2): virial: expected 9 numbers, found 3");
}

TEST_F(Extxyz, LabelsInOtherSpellingsAreNeverSilent) {
  EXPECT_EQ(
      error(water_with("REF_energy=-5")),
      "frame 0 (line 2): found 'REF_energy', which may be the energy: say --energy-key REF_energy to use it as that, "
      "or --energy-key none to leave it out");
  EXPECT_EQ(
      error(water_with("energy=-5 free_energy=-6")),
      "frame 0 (line 2): found 'energy', 'free_energy', which may be the energy: say --energy-key energy to use it as "
      "that, or --energy-key none to leave it out");
  EXPECT_EQ(
      error(water_with("energy=-5", ":dft_forces:R:3", " 1 2 3")),
      "frame 0 (line 2): found 'dft_forces', which may be the forces: say --forces-key dft_forces to use it as that, "
      "or --forces-key none to leave it out");
  EXPECT_EQ(
      error(water_with("spin=1")),
      "frame 0 (line 2): found 'spin', which may be the multiplicity: say --multiplicity-key spin to use it as that, "
      "or --multiplicity-key none to leave it out");
  ReadOptions named;
  named.energy_key = "REF_energy";
  named.forces_key = "dft_forces";
  named.multiplicity_key = "spin";
  named.charge_key = "none";
  Structure s = read(water_with("energy=1 REF_energy=-5 spin=3 charge=4.5", ":dft_forces:R:3", " 1 2 3"), named);
  EXPECT_EQ(s.energy, -5);
  EXPECT_EQ(s.forces.at(2), (Vec3{1, 2, 3}));
  EXPECT_EQ(s.multiplicity, 3);
  EXPECT_FALSE(s.charge);
}

TEST_F(Extxyz, ReportSaysWhatWasUsed) {
  std::string path = folder.write("a.xyz", water_with("energy=-5 total_charge=0") + water_with(""));
  auto reader = open_reader(path, "extxyz", {});
  Structure structure;
  while (reader->next(structure)) continue;
  EXPECT_EQ(reader->progress(), 1);
  std::vector<std::string> lines;
  for (const Finding& finding : reader->report()) lines.push_back(finding.line());
  EXPECT_EQ(lines, (std::vector<std::string>{"energy from 'energy' in 1 of 2 structures",
                                             "charge from 'total_charge' in 1 of 2 structures"}));
  ReadOptions named;
  named.energy_key = "E0";
  reader = open_reader(path, "extxyz", named);
  while (reader->next(structure)) continue;
  EXPECT_EQ(error_of([&] { reader->report(); }), path + ": no structure has 'E0', which --energy-key names");
}

TEST_F(Extxyz, GroupAndConfigTypeFromEntries) {
  ReadOptions options;
  options.group = "{temperature}K, run {run}";
  options.config_type = "{molecule}";
  Structure s = read(water_with("temperature=300 run=2 molecule=H2O"), options);
  EXPECT_EQ(s.group, "300K, run 2");
  EXPECT_EQ(s.config_type, "H2O");
  EXPECT_EQ(error(water_with("run=2"), options),
            "frame 0 (line 2): no entry 'temperature', which --group '{temperature}K, run {run}' asks for");
}

TEST_F(Extxyz, ReadingGoesOnAfterABadFrame) {
  std::string path =
      folder.write("a.xyz", water_with("energy=-5") + water_with("energy=nan") + water_with("energy=-7"));
  auto reader = open_reader(path, "", {});
  Structure structure;
  ASSERT_TRUE(reader->next(structure));
  try {
    reader->next(structure);
    ADD_FAILURE() << "expected an error";
  } catch (const EntryError& error) {
    EXPECT_EQ(error.entry(), "frame 1");
    EXPECT_EQ(error.what(), path + ": frame 1 (line 7): the energy is NaN or infinity");
  }
  ASSERT_TRUE(reader->next(structure));
  EXPECT_EQ(structure.energy, -7);
  EXPECT_FALSE(reader->next(structure));
}

TEST_F(Extxyz, ChargeOfTheUserFillsWhatIsMissing) {
  ReadOptions options;
  options.charge = 1;
  options.multiplicity = 2;
  EXPECT_EQ(read(water_with("charge=-1"), options).charge, -1);
  EXPECT_EQ(read(water_with("charge=-1"), options).multiplicity, 2);
  EXPECT_EQ(read(water_with(""), options).charge, 1);
}

TEST_F(Extxyz, ErrorsNameFrameAndLine) {
  const std::string good = water_with("energy=-5");
  EXPECT_EQ(error(good + "2\nProperties=species:S:1:pos:R:3\nH 0 0 0\n"),
            "frame 1 (line 8): expected 2 atoms, the file ends before: truncated?");
  EXPECT_EQ(error(good + "1\n"), "frame 1 (line 6): the file ends within the frame: truncated?");
  EXPECT_EQ(error(good + "x y\n"), "frame 1 (line 6): number of atoms: expected an integer, found 'x y'");
  EXPECT_EQ(error("1\n\nH 0 0\n"), "frame 0 (line 3): expected 4 columns, found 3");
  EXPECT_EQ(error("1\n\nH 0 0 0..\n"), "frame 0 (line 2): atom 0: expected a number, found '0..'");
  EXPECT_EQ(error("1\n\nH 0 0 nan\n"), "frame 0 (line 2): NaN or infinity in the position of atom 0");
  EXPECT_EQ(error("1\nenergy=nan\nH 0 0 0\n"), "frame 0 (line 2): the energy is NaN or infinity");
  EXPECT_EQ(error("1\nenergy=-1 energy=-2\nH 0 0 0\n"), "frame 0 (line 2): 'energy' is given twice");
  EXPECT_EQ(error("1\nnote=\"open\nH 0 0 0\n"),
            "frame 0 (line 2): the value that begins with \" does not end on its line");
  EXPECT_EQ(error("1\ncharge=0.5\nH 0 0 0\n"), "frame 0 (line 2): charge: expected a whole number, found '0.5'");
  EXPECT_EQ(
      error("1\ncharge=0 multiplicity=1\nH 0 0 0\n"),
      "frame 0 (line 2): multiplicity 1 does not agree with 1 electrons (charge 0): 2S+1 is odd for an even number "
      "of electrons and even for an odd one");
  EXPECT_EQ(error("1\npbc=\"T T T\"\nH 0 0 0\n"), "frame 0 (line 2): periodic (pbc), but without a Lattice");
  EXPECT_EQ(error("\n\n"), "the file has no structures");
  EXPECT_EQ(error("1\n\nXx 0 0 0\n").find("frame 0 (line 2): atom 0: "), 0u);
}

TEST_F(Extxyz, UnknownFormat) {
  EXPECT_EQ(error_of([&] { open_reader("a.dat", "", {}); }),
            "a.dat: the format cannot be told from the name: say --format (extxyz, isotrope, omol25, pubchemqcr, "
            "deepmd, spice, ani, shards)");
  EXPECT_EQ(error_of([&] { open_reader("a.xyz", "extxy", {}); }),
            "unknown format 'extxy', did you mean 'extxyz'? Known: extxyz, isotrope, omol25, pubchemqcr, deepmd, "
            "spice, ani, shards");
}

TEST_F(Extxyz, SpellingsOfOtherPrograms) {
  // GPUMD: lower case, a column `force`.
  Structure s = read(
      "1\nlattice=\"2 0 0 0 2 0 0 0 2\" PBC=\"T T T\" properties=species:S:1:pos:R:3:force:R:3 energy=-1\n"
      "He 1 2 3 4 5 6\n");
  EXPECT_EQ(s.periodic, (std::array<bool, 3>{true, true, true}));
  EXPECT_EQ(s.forces, (std::vector<Vec3>{{4, 5, 6}}));
  // Lists as Python and JSON write them, exponents of Fortran.
  s = read("1\nLattice=[[2,0,0],[0,2,0],[0,0,2]] pbc=[True, False, True] energy=-1.5D+01\nHe 1d0 2.5d-1 3\n");
  EXPECT_EQ(s.periodic, (std::array<bool, 3>{true, false, true}));
  EXPECT_EQ(s.energy, -15);
  EXPECT_EQ(s.positions.at(0), (Vec3{1, 0.25, 3}));
  EXPECT_EQ(read("1\npbc={F F F}\nHe 1 2 3\n").periodic, (std::array<bool, 3>{}));
  EXPECT_EQ(error("1\nLattice=\"2 0 0 0 2 0 0 0 2\" lattice=\"3 0 0 0 3 0 0 0 3\"\nHe 1 2 3\n"),
            "frame 0 (line 2): 'lattice' is given twice");
  EXPECT_EQ(error("1\npbc=T\nHe 1 2 3\n"), "frame 0 (line 2): pbc: expected three flags, found 'T'");
  EXPECT_EQ(error("1\nenergy=1D2D3\nHe 1 2 3\n"), "frame 0 (line 2): energy: expected a number, found '1e2e3'");
  EXPECT_EQ(error(water_with("energy=-5", ":forces:R:3:force:R:3", " 1 2 3 4 5 6")),
            "frame 0 (line 2): found 'forces', 'force', which may be the forces: say --forces-key forces to use it as "
            "that, or --forces-key none to leave it out");
}

TEST_F(Extxyz, EveryDoubleComesBackBitForBit) {
  std::mt19937_64 random(11);
  std::vector<double> values = {0.0, -0.0, 5e-324, -2.2250738585072011e-308, 1.7976931348623157e308, 1.0 / 3};
  while (values.size() < 9000) {
    const double value = std::bit_cast<double>(random());
    if (std::isfinite(value)) values.push_back(value);
  }
  std::vector<Structure> structures;
  for (std::size_t i = 0; i + 9 <= values.size(); i += 9) {
    Structure s;
    s.numbers = {1};
    s.positions = {{values[i], values[i + 1], values[i + 2]}};
    s.forces = {{values[i + 3], values[i + 4], values[i + 5]}};
    s.energy = values[i + 6];
    s.weight = std::abs(values[i + 7]);
    structures.push_back(s);
  }
  const std::string path = folder / "out.xyz";
  ExtxyzWriter writer(path);
  for (const Structure& s : structures) writer.add(s);
  writer.commit();
  const std::vector<Structure> back = read_all(path);
  ASSERT_EQ(back.size(), structures.size());
  const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
  for (std::size_t i = 0; i < back.size(); ++i) {
    for (int d = 0; d < 3; ++d) {
      ASSERT_EQ(bits(back[i].positions[0][d]), bits(structures[i].positions[0][d])) << i;
      ASSERT_EQ(bits(back[i].forces[0][d]), bits(structures[i].forces[0][d])) << i;
    }
    ASSERT_EQ(bits(*back[i].energy), bits(*structures[i].energy)) << i;
    ASSERT_EQ(bits(back[i].weight), bits(structures[i].weight)) << i;
  }
}

TEST_F(Extxyz, NamesOfAnyKind) {
  Structure s;
  s.numbers = {1};
  s.positions = {{0, 0, 0}};
  s.group = "C:\\runs \"a\" = {1}";
  s.config_type = "o'x [3]";
  s.split = "test";
  s.step = 7;
  const std::string path = folder / "out.xyz";
  {
    ExtxyzWriter writer(path);
    writer.add(s);
    s.group = "two\nlines";
    EXPECT_EQ(error_of([&] { writer.add(s); }),
              path + ": a group with a line break in its name cannot be written in extended xyz: 'two\nlines'");
  }
  ExtxyzWriter writer(path);
  s.group = "C:\\runs \"a\" = {1}";
  writer.add(s);
  writer.commit();
  const Structure back = read_all(path).at(0);
  EXPECT_EQ(back.group, s.group);
  EXPECT_EQ(back.config_type, s.config_type);
  EXPECT_EQ(back.split, "test");
  EXPECT_EQ(back.step, 7);
}

TEST_F(Extxyz, WriterRoundTrip) {
  Structure s;
  s.numbers = {1, 17};
  s.positions = {{1.0 / 3, -2e-17, 3}, {0.1, 0.2, 1e10}};
  s.forces = {{0.1 + 0.2, 0, -1}, {1, 2, 3}};
  s.energy = -12520.85095523764;
  s.cell = {Vec3{4, 0, 0}, {0.1, 5, 0}, {0, 0, 6}};
  s.periodic = {true, true, true};
  s.stress = Mat3{Vec3{0.1, 0.2, 0.3}, {0.2, 0.4, 0.5}, {0.3, 0.5, 0.6}};
  s.charge = 0;
  s.multiplicity = 1;
  s.config_type = "two words";
  s.weight = 0.25;
  std::string path = folder / "out.xyz";
  {
    ExtxyzWriter writer(path);
    writer.add(s);
    writer.add(s);
    writer.commit();
  }
  EXPECT_EQ(folder.files(), 1);
  std::vector<Structure> back = read_all(path);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[1].numbers, s.numbers);
  EXPECT_EQ(back[1].positions, s.positions);
  EXPECT_EQ(back[1].forces, s.forces);
  EXPECT_EQ(back[1].energy, s.energy);
  EXPECT_EQ(back[1].cell, s.cell);
  EXPECT_EQ(back[1].periodic, s.periodic);
  EXPECT_EQ(back[1].stress, s.stress);
  EXPECT_EQ(back[1].charge, s.charge);
  EXPECT_EQ(back[1].multiplicity, s.multiplicity);
  EXPECT_EQ(back[1].config_type, s.config_type);
  EXPECT_EQ(back[1].weight, s.weight);
}
