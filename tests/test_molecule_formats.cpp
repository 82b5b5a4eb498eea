// SPDX-License-Identifier: MIT
// DeePMD, SPICE and ANI: files that Python wrote (scripts/make_dataset_fixtures.py) against what Python reads, and
// every way in which such files are broken.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "io/molecule_hdf5.hpp"
#include "io/npy.hpp"
#include "support/expected_structures.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::Expected;
using isotrope::testing::fixture;
using isotrope::testing::read_all;
using isotrope::testing::report_of;
using isotrope::testing::TemporaryFolder;

namespace {

/// A file of NumPy: header and little-endian values.
template <class T>
std::string npy(const std::string& type, const std::string& shape, const std::vector<T>& values,
                const std::string& order = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size());
  text += '\0';
  text += header;
  const std::size_t begin = text.size();
  text.resize(begin + values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(text.data() + begin, values.data(), values.size() * sizeof(T));
  return text;
}

/// A system of one hydrogen molecule with one frame, to break in one place.
class DeepmdFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder / "h2/set.000");
    write("h2/type.raw", "0\n0\n");
    write("h2/type_map.raw", "H\n");
    write("h2/nopbc", "");
    write("h2/set.000/coord.npy", npy<double>("<f8", "(1, 6)", {0, 0, 0, 0, 0, 0.74}));
    write("h2/set.000/energy.npy", npy<double>("<f8", "(1,)", {-31.7}));
    write("h2/set.000/force.npy", npy<float>("<f4", "(1, 6)", {0, 0, 1, 0, 0, -1}));
  }
  void write(const std::string& name, const std::string& text) { folder.write(name, text); }
  void remove(const std::string& name) { std::filesystem::remove_all(folder / name); }
  /// The message, with "H2" for the path of the system.
  std::string error(const ReadOptions& options = {}) {
    std::string message = error_of([&] { read_all(folder / "h2", options); });
    const std::string path = folder / "h2";
    for (std::size_t at = message.find(path); at != message.npos; at = message.find(path))
      message.replace(at, path.size(), "H2");
    return message;
  }
  TemporaryFolder folder;
};

TEST(DeePMD, EveryNumberAsNumpyReadsIt) {
  const auto structures = read_all(fixture("deepmd"), {});
  const Expected expected("expected_deepmd.h5");
  ASSERT_EQ(static_cast<int>(structures.size()), expected.size());
  ASSERT_EQ(expected.size(), 16);
  int stresses = 0;
  for (int i = 0; i < expected.size(); ++i) {
    const Structure& s = structures[i];
    expected.compare(i, s, false);
    EXPECT_FALSE(s.charge || s.multiplicity);
    if (!s.stress) continue;
    ++stresses;  // signs and volume as dpdata gives them to ASE
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        const double reference = expected.stress(i, a, b);
        const double tolerance = s.size() == 1 ? 1e-6 : 1e-12;  // one system is in single precision
        EXPECT_TRUE(std::abs((*s.stress)[a][b] - reference) <= tolerance * std::abs(reference)) << i << a << b;
      }
    }
  }
  EXPECT_EQ(stresses, 5);
}

TEST(DeePMD, ReportPatternsAndOptions) {
  EXPECT_EQ(report_of(fixture("deepmd"), {}),
            (std::vector<std::string>{"energy from 'energy.npy' in 16 of 16 structures",
                                      "forces from 'force.npy' in 16 of 16 structures",
                                      "stress = -virial / V from 'virial.npy' in 5 of 16 structures",
                                      "numbers in single precision in 2 of 16 structures"}));
  ReadOptions options;
  options.group = "{system} {set} {frame}";
  options.charge = 0;
  options.virial_key = "none";
  const auto structures = read_all(fixture("deepmd") + "/", options);
  EXPECT_EQ(structures[15].group, "water set.002 0");
  EXPECT_EQ(structures[15].charge, 0);
  for (const Structure& s : structures) EXPECT_FALSE(s.stress);
  EXPECT_EQ(read_all(fixture("deepmd/salts/nacl") + "/", {})[0].group, "nacl");
  options.energy_key = "e";
  EXPECT_EQ(error_of([&] { read_all(fixture("deepmd"), options); }),
            fixture("deepmd") +
                ": DeePMD has its labels in fixed places, keys are for other formats; 'none' leaves a label out");
  options.energy_key.reset();
  options.charge_key = "q";
  EXPECT_EQ(error_of([&] { read_all(fixture("deepmd"), options); }),
            fixture("deepmd") + ": DeePMD has neither stress nor charge nor multiplicity, keys are for other formats");
}

TEST(DeePMD, PartsMakeTheWhole) {
  const std::string path = fixture("deepmd");
  const auto whole = read_all(path, {});
  ASSERT_EQ(format_of(path, "").count_entries(path), 16);
  std::vector<Structure> parts;
  ReadOptions options;
  for (std::int64_t begin = 0; begin < 16; begin += 5) {
    options.entries = {begin, begin + 5};
    for (Structure& s : read_all(path, options)) parts.push_back(std::move(s));
  }
  ASSERT_EQ(parts.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_EQ(parts[i].positions, whole[i].positions);
}

TEST_F(DeepmdFolder, GoodOne) {
  const Structure s = read_all(folder / "h2", {}).at(0);
  EXPECT_EQ(s.numbers, (std::vector<int>{1, 1}));
  EXPECT_EQ(s.positions.at(1), (Vec3{0, 0, 0.74}));
  EXPECT_EQ(s.energy, -31.7);
  EXPECT_EQ(s.forces.at(1), (Vec3{0, 0, -1}));
  remove("h2/set.000/force.npy");
  EXPECT_TRUE(read_all(folder / "h2", {}).at(0).forces.empty());
}

TEST_F(DeepmdFolder, BrokenSystems) {
  write("h2/type.raw", "0 x");
  EXPECT_EQ(error(), "H2/type.raw: expected types of atoms (0, 1, ...), found 'x'");
  write("h2/type.raw", "");
  EXPECT_EQ(error(), "H2/type.raw: no atoms");
  write("h2/type.raw", "0 1");
  EXPECT_EQ(error(), "H2/set.000: frame 0: type 1 is not among the 1 of type_map.raw");
  write("h2/type_map.raw", "H OW");
  EXPECT_EQ(error(), "H2/set.000: frame 0: type 1 is 'OW' in type_map.raw, which is not an element");
  remove("h2/type_map.raw");
  EXPECT_EQ(
      error(),
      "H2: no type_map.raw, so the elements of the types are not known: write their symbols into that file, in the "
      "order of the types");
  write("h2/type_map.raw", "H H");
  remove("h2/nopbc");
  EXPECT_EQ(error(),
            "H2/set.000: no box.npy in a system that is periodic; one that is not has an empty file nopbc beside its "
            "type.raw");
  write("h2/set.000/box.npy", npy<double>("<f8", "(1, 9)", std::vector<double>(9, 0.0)));
  EXPECT_EQ(error(), "H2/set.000: frame 0: periodic along lattice vector 1, which is zero");
  write("h2/set.000/virial.npy", npy<double>("<f8", "(1, 9)", std::vector<double>(9, 0.0)));
  EXPECT_EQ(error(), "H2/set.000: frame 0: a virial needs a cell with a volume");
  remove("h2/set.000");
  EXPECT_EQ(error(),
            "H2: no folder set.*: text files (.raw) are turned into sets by DeePMD-kit's raw_to_set.sh or by dpdata");
  remove("h2/type.raw");
  EXPECT_EQ(
      error(),
      "H2: expected a system of DeePMD (type.raw, type_map.raw, set.*) or a folder of systems, found no type.raw in "
      "it or below");
  EXPECT_EQ(error_of([&] { open_reader(folder.write("file", ""), "deepmd", {}); }),
            "cannot open " + (folder / "file") + ": expected a folder of deepmd, found a file");
}

TEST_F(DeepmdFolder, BrokenArrays) {
  const std::string coord = "h2/set.000/coord.npy";
  write("h2/set.000/force.npy", npy<float>("<f4", "(1, 3)", {0, 0, 1}));
  EXPECT_EQ(error(), "H2/set.000/force.npy: expected 1 rows of 6 numbers, found 1 of 3");
  write("h2/set.000/force.npy", npy<float>("<f4", "(2, 6)", std::vector<float>(12)));
  EXPECT_EQ(error(), "H2/set.000/force.npy: expected 1 rows of 6 numbers, found 2 of 6");
  write("h2/set.000/force.npy", npy<float>("<f4", "(1, 6)", {0, 0, 1, 0, 0, std::nanf("")}));
  EXPECT_EQ(error(), "H2/set.000: frame 0: NaN or infinity in the forces of atom 1");
  write("h2/set.000/real_atom_types.npy", npy<int>("<i4", "(1, 2)", {-1, -1}));
  EXPECT_EQ(error(), "H2/set.000: frame 0: no atoms");
  write("h2/set.000/real_atom_types.npy", npy<float>("<f4", "(1, 2)", {0, 0.5}));
  EXPECT_EQ(error(), "H2/set.000: frame 0: real_atom_types.npy: expected types, found 0.5");
  std::string cut = npy<double>("<f8", "(1, 6)", {0, 0, 0, 0, 0, 0.74});
  cut.pop_back();
  write(coord, cut);
  EXPECT_EQ(error(), "H2/set.000/coord.npy: expected 176 bytes for 6 numbers, found 175: truncated?");
  write(coord, "text");
  EXPECT_EQ(error(), "H2/set.000/coord.npy: expected an array of NumPy (.npy), found another file");
  write(coord, npy<double>(">f8", "(1, 6)", std::vector<double>(6)));
  EXPECT_EQ(
      error(),
      "H2/set.000/coord.npy: expected integers or floating-point numbers ('<f4', '<f8', '<i4', '<i8', ...), found "
      "'>f8'");
  write(coord, npy<double>("<f8", "(1, 6)", std::vector<double>(6), "True"));
  EXPECT_EQ(error(), "H2/set.000/coord.npy: expected an array in C order, found one in Fortran order");
  for (const char* shape : {"1, 6", "(99999999999999999999, 6)", "(1000000000, 1000000000, 6)"}) {
    write(coord, npy<double>("<f8", shape, std::vector<double>(6)));
    EXPECT_EQ(error(), "H2/set.000/coord.npy: the header of the array is damaged");
  }
  remove(coord);
  EXPECT_EQ(error(), "cannot open H2/set.000/coord.npy: file not found");
}

TEST(SPICE, EveryNumberAsH5pyReadsIt) {
  ReadOptions options;
  options.charge_key = "smiles";
  const auto structures = read_all(fixture("spice.h5"), options, "spice");
  const Expected expected("expected_spice.h5");
  ASSERT_EQ(static_cast<int>(structures.size()), expected.size());
  ASSERT_EQ(expected.size(), 14);
  for (int i = 0; i < expected.size(); ++i) {
    expected.compare(i, structures[i]);
    EXPECT_EQ(structures[i].charge, expected.integer("charge", i));
    EXPECT_FALSE(structures[i].multiplicity);
  }
}

TEST(SPICE, ReportKeysAndPatterns) {
  const std::string path = fixture("spice.h5");
  EXPECT_EQ(report_of(path, {}, "spice"),
            (std::vector<std::string>{
                "SPICE: Hartree and Bohr converted with 1 Hartree = 27.211386245988 eV, 1 Bohr = 0.529177210903 Å "
                "(CODATA 2018)",
                "energy from 'dft_total_energy' in 14 of 14 structures",
                "forces from 'dft_total_gradient' in 14 of 14 structures"}));
  EXPECT_FALSE(read_all(path, {}, "spice")[0].charge);
  ReadOptions options;
  options.group = "{subset}: {molecule} {conformation}";
  options.charge = 0;
  options.energy_key = "formation_energy";
  EXPECT_EQ(error_of([&] { read_all(path, options, "spice"); }),
            path +
                ": labels of two levels of theory may not be mixed: say both --energy-key and --forces-key, 'none' for "
                "one that is to be left out");
  options.forces_key = "none";
  const auto structures = read_all(path, options, "spice");
  EXPECT_EQ(structures[1].group, "made for tests: ammonium acetate 1");
  EXPECT_TRUE(structures[1].forces.empty());
  EXPECT_LT(std::abs(*structures[1].energy), 200);
  options.energy_key = "hf_energy";
  options.forces_key = "dft_total_gradient";
  EXPECT_EQ(error_of([&] { report_of(path, options, "spice"); }),
            path + ":/ammonium acetate/hf_energy: missing, but --energy-key names it");
  options = {};
  options.stress_key = "stress";
  EXPECT_EQ(error_of([&] { read_all(path, options, "spice"); }),
            path + ": SPICE has no stress, keys are for other formats");
}

TEST(SPICE, ChargeOfASmiles) {
  EXPECT_EQ(charge_of_smiles("CC(=O)[O-].[NH4+]", "x"), 0);
  EXPECT_EQ(charge_of_smiles("[13CH3:1][C@@H:2]([N+:3]([H:4])([H:5])[H:6])C(=O)[O:7][H:8]", "x"), 1);
  EXPECT_EQ(charge_of_smiles("[Fe+3].[Ca++].[O--].[S-2]", "x"), 1);
  EXPECT_EQ(charge_of_smiles("C-C#N", "x"), 0);
  EXPECT_EQ(error_of([&] { charge_of_smiles("[O-", "f:/m/smiles"); }),
            "f:/m/smiles: expected a SMILES, found '[O-', in which a bracket does not close");
}

TEST(ANI, EveryNumberAsH5pyReadsIt) {
  for (const std::string name : {"ani1x", "ani2x"}) {
    const auto structures = read_all(fixture(name + ".h5"), {}, "ani");
    const Expected expected("expected_" + name + ".h5");
    ASSERT_EQ(static_cast<int>(structures.size()), expected.size());
    ASSERT_EQ(expected.size(), name == "ani1x" ? 11 : 6);
    for (int i = 0; i < expected.size(); ++i) expected.compare(i, structures[i]);
  }
}

TEST(ANI, LevelsAndMissingLabels) {
  const std::string path = fixture("ani1x.h5");
  const std::string units =
      "ANI: Hartree and Bohr converted with 1 Hartree = 27.211386245988 eV, 1 Bohr = 0.529177210903 Å (CODATA 2018)";
  EXPECT_EQ(report_of(path, {}, "ani"),
            (std::vector<std::string>{units, "energy from 'wb97x_dz.energy' in 11 of 11 structures",
                                      "forces from 'wb97x_dz.forces' in 8 of 11 structures",
                                      "neither energy nor forces, left out in 1 of 12 conformations"}));
  ReadOptions options;
  options.energy_key = "ccsd(t)_cbs.energy";
  options.forces_key = "none";
  EXPECT_EQ(report_of(path, options, "ani"),
            (std::vector<std::string>{units, "energy from 'ccsd(t)_cbs.energy' in 6 of 6 structures",
                                      "neither energy nor forces, left out in 6 of 12 conformations"}));
}

/// One hydrogen molecule in two conformations, in which one member is left out or replaced.
class MoleculeFile : public ::testing::Test {
 protected:
  std::string write(
      const std::string& without, const std::function<void(hdf5::Group&)>& add = [](hdf5::Group&) {}) {
    const std::string path = folder / "m.h5";
    hdf5::File file = hdf5::File::create(path);
    hdf5::Group outer = file.create_group("set"), group = outer.create_group("h2");
    if (without != "atomic_numbers") group.write<int>("atomic_numbers", std::vector<int>{1, 1}, {2});
    if (without != "conformations")
      group.write<double>("conformations", std::vector<double>{0, 0, 0, 0, 0, 1.4, 0, 0, 0, 0, 0, 1.5}, {2, 2, 3});
    if (without != "dft_total_energy") group.write<double>("dft_total_energy", std::vector<double>{-1.1, -1.2}, {2});
    if (without != "dft_total_gradient")
      group.write<double>("dft_total_gradient", std::vector<double>(12, 0.1), {2, 2, 3});
    add(group);
    return path;
  }
  /// The message, with F for the path of the file.
  std::string error(const ReadOptions& options = {}) {
    const std::string path = folder / "m.h5";
    const std::string message = error_of([&] { read_all(path, options, "spice"); });
    EXPECT_TRUE(message.starts_with(path)) << message;
    return "F" + message.substr(std::min(message.size(), path.size()));
  }
  TemporaryFolder folder;
};

TEST_F(MoleculeFile, ChargeAndMultiplicityOfTheFile) {
  const std::string path = write("", [](hdf5::Group& g) {
    g.write<int>("total_charge", std::vector<int>{-1, 1}, {2});
    g.write_scalar<double>("multiplicity", 2);
  });
  ReadOptions options;
  options.charge = 5;
  options.multiplicity = 7;
  auto structures = read_all(path, options, "spice");
  ASSERT_EQ(structures.size(), 2u);
  EXPECT_EQ(structures[0].charge, -1);
  EXPECT_EQ(structures[1].charge, 1);
  EXPECT_EQ(structures[1].multiplicity, 2);
  EXPECT_EQ(structures[0].group, "set/h2");
  EXPECT_EQ(report_of(path, options, "spice").at(1), "charge from 'total_charge' in 2 of 2 structures");
  write("");
  options.multiplicity = 2;
  options.charge = 1;
  EXPECT_EQ(report_of(path, options, "spice").at(3), "charge from --charge in 2 of 2 structures");
}

TEST_F(MoleculeFile, BrokenFiles) {
  write("conformations");
  EXPECT_EQ(error(), "F: expected groups with a member 'conformations' (SPICE), found none");
  write("atomic_numbers");
  EXPECT_EQ(error(), "F:/set/h2/atomic_numbers: missing");
  write("atomic_numbers", [](hdf5::Group& g) { g.write<int>("atomic_numbers", std::vector<int>{1, 1, 1}, {3}); });
  EXPECT_EQ(error(), "F:/set/h2/atomic_numbers: expected 2 atomic numbers, or as many for each conformation");
  write("atomic_numbers", [](hdf5::Group& g) { g.write<int>("atomic_numbers", std::vector<int>{1, 0}, {2}); });
  EXPECT_EQ(error(), "F: molecule set/h2 conformation 0: 0 is not an atomic number");
  write("conformations", [](hdf5::Group& g) { g.write<double>("conformations", std::vector<double>(6), {2, 3}); });
  EXPECT_EQ(error(), "F:/set/h2/conformations: expected shape [conformations, atoms, 3]");
  write("dft_total_energy", [](hdf5::Group& g) { g.write<double>("dft_total_energy", std::vector<double>(3), {3}); });
  EXPECT_EQ(error(), "F:/set/h2/dft_total_energy: expected 2 numbers, one for each conformation");
  write("dft_total_energy", [](hdf5::Group& g) {
    g.write<double>("dft_total_energy", std::vector<double>{-1, std::nan("")}, {2});
  });
  EXPECT_EQ(error(), "F: molecule set/h2 conformation 1: the energy is NaN or infinity");
  write("dft_total_gradient", [](hdf5::Group& g) {
    g.write<double>("dft_total_gradient", std::vector<double>(6), {2, 1, 3});
  });
  EXPECT_EQ(error(), "F:/set/h2/dft_total_gradient: expected shape [2, 2, 3], found [2, 1, 3]");
  write("", [](hdf5::Group& g) { g.write<double>("charge", std::vector<double>{0.5}, {1}); });
  EXPECT_EQ(error(), "F: molecule set/h2 conformation 0: charge: expected a whole number, found 0.5");
  write("", [](hdf5::Group& g) { g.write<int>("charge", std::vector<int>(3), {3}); });
  EXPECT_EQ(error(), "F:/set/h2/charge: expected one number, or one for each of 2 conformations, found 3");
  write("", [](hdf5::Group& g) { g.write_strings("charge", {"0"}); });
  EXPECT_EQ(error(), "F:/set/h2/charge: expected numbers, found text");
}

}  // namespace
