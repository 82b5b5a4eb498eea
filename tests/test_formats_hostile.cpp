// SPDX-License-Identifier: MIT
// Files that are damaged, forged or meant to harm: a message that names the entry, never a crash.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/omol25.hpp"
#include "io/reader.hpp"
#include "support/forged_formats.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using namespace isotrope::testing;

namespace {

std::string fixture(const std::string& name) {
  return std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/formats/" + name;
}

// ---- PubChemQCR

class PubChemQcrFiles : public ::testing::Test {
 protected:
  std::string write(const std::string& value) {
    const std::string path = folder_ / "x.lmdb";
    std::filesystem::remove(path);
    write_lmdb(path, {{"000000001", value},
                      {"000000002", compress(trajectory(step("O", real(-75))), Inflater::Wrapper::gzip)}});
    return path;
  }
  /// The message about the first entry, without the path; the second entry must still be read.
  std::string error(const std::string& value) {
    const std::string path = write(value);
    ReadOptions options;
    options.stage = "pm3";
    auto reader = open_reader(path, "", options);
    Structure structure;
    std::string message;
    try {
      reader->next(structure);
      ADD_FAILURE() << "expected an error";
    } catch (const EntryError& error) {
      message = error.what();
    }
    EXPECT_TRUE(reader->next(structure));
    EXPECT_EQ(structure.group, "000000002");
    EXPECT_FALSE(reader->next(structure));
    return message.starts_with(path) ? message.substr(path.size()) : message;
  }
  std::string step_error(const std::string& steps) {
    return error(compress(trajectory(steps), Inflater::Wrapper::gzip));
  }

  TemporaryFolder folder_;
};

TEST_F(PubChemQcrFiles, DamagedEntries) {
  const std::string good = compress(trajectory(step("O", real(-75))), Inflater::Wrapper::gzip);
  EXPECT_EQ(
      error(good.substr(0, good.size() / 2)),
      fmt::format(": key 000000001: expected gzip data, found {} bytes that are damaged or cut off", good.size() / 2));
  EXPECT_EQ(error("x"), ": key 000000001: expected gzip data, found 1 bytes that are damaged or cut off");
  std::string flipped = good;
  flipped[good.size() - 6] ^= 1;  // its checksum
  EXPECT_TRUE(error(flipped).ends_with("that are damaged or cut off"));
  EXPECT_EQ(
      error(compress("\x80\x02"
                     "cos\nsystem\n.",
                     Inflater::Wrapper::gzip)),
      ": key 000000001: byte 2: GLOBAL (os system) would run Python code; only plain data is read, nothing of this "
      "entry was used");
  EXPECT_EQ(error(compress(std::string(200 << 20, '\0'), Inflater::Wrapper::gzip)),
            ": key 000000001: the gzip data is larger than 128 MiB");
}

TEST_F(PubChemQcrFiles, StepsOfTheWrongShape) {
  const std::string where = ": key 000000001 pm3 step 0: ";
  EXPECT_EQ(step_error(step("Xx", real(0))),
            where + "\"Xx\" is not the symbol of an element; expected one of H, He, Li, ... Og.");
  EXPECT_EQ(step_error(step("O", real(std::nan("")))), where + "the energy is NaN or infinity");
  EXPECT_EQ(step_error(step("O", text("low"))), where + "energy: expected a number, found str");
  EXPECT_EQ(step_error(step("O", real(0), HUGE_VAL)), where + "NaN or infinity in the position of atom 0");
  EXPECT_EQ(step_error(step("", real(0))), where + "no atoms");
  EXPECT_EQ(step_error(step("O", real(0), 0, atom("H", "d", 0))),
            where + "gradient of atom 0 is of H, which is not the atom of the coordinates");
  EXPECT_EQ(step_error(step("O", real(0), 0, atom("O", "d", 0) + atom("O", "d", 0))),
            where + "gradient of atom 1 is of O, which is not the atom of the coordinates");
  EXPECT_EQ(step_error(step("O", real(0), 0, atom("O", "", 0))),
            where + "gradient of atom 0: expected a dict with 'atom', 'dx', 'dy', 'dz'");
  EXPECT_EQ(step_error("K\x05"), where + "expected a dict, found int");
  EXPECT_EQ(error(compress("\x80\x04].", Inflater::Wrapper::gzip)),
            ": key 000000001: expected a dict of stages, found list");
  EXPECT_EQ(error(compress("\x80\x04}" + text("pm3") + "K\x01s.", Inflater::Wrapper::gzip)),
            ": key 000000001: stage pm3: expected a list of steps, found int");
}

TEST_F(PubChemQcrFiles, OneStepNamedManyTimes) {
  // A list of 100000 references to one list of 200 references to one atom: 20 million atoms in 300 kB.
  const std::string many = text("coordinates") + "](" + atom("O", "", 0) + std::string("\x94") + [] {
    std::string refs;
    for (int i = 0; i < 199; ++i) refs += bytes("h\x00");
    return refs;
  }() + "e";
  std::string slopes = text("gradient") + "](" + atom("O", "d", 0) + "\x94";
  for (int i = 0; i < 199; ++i) slopes += "h\x01";
  std::string steps = "}(" + many + text("energy") + real(0) + slopes + "eu\x94";
  for (int i = 0; i < 100000; ++i) steps += "h\x02";
  const std::string path = write(compress(trajectory(steps), Inflater::Wrapper::gzip));
  ReadOptions options;
  options.stage = "pm3";
  auto reader = open_reader(path, "", options);
  Structure structure;
  const std::string message = error_of([&] {
    while (reader->next(structure)) continue;
  });
  EXPECT_TRUE(message.ends_with(": the steps have more atoms than the entry has bytes")) << message;
}

TEST(Lmdb, DamagedFiles) {
  TemporaryFolder folder;
  ReadOptions options;
  options.stage = "pm3";
  const auto error = [&](const std::string& path) { return error_of([&] { open_reader(path, "", options); }); };
  const std::string whole = content(fixture("steps.lmdb"));
  const std::string half = folder.write("half.lmdb", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(error(half), fmt::format("{}: truncated: expected 27 pages of 4096 bytes, the file has {} bytes", half,
                                     whole.size() / 2));
  const std::string text = folder.write("text.lmdb", std::string(20000, 'x'));
  EXPECT_EQ(error(text), "cannot open " + text + ": expected an LMDB file, found other content");
  const std::string empty = folder.write("empty.lmdb", "");
  EXPECT_EQ(error(empty), "cannot open " + empty + ": the file is empty");
  EXPECT_EQ(error(folder / "none.lmdb"), "cannot open " + (folder / "none.lmdb") + ": file not found");
  const std::string head = folder.write("head.lmdb", whole.substr(0, 100));
  EXPECT_FALSE(error(head).empty());
}

// ---- OMol25

std::string row_error(const std::string& json, ReadOptions options = {}) {
  omol25::RowDecoder decode(options);
  std::string padded = json + std::string(Inflater::padding, '\0');
  Structure structure;
  return error_of([&] {
    decode(std::string_view(padded).substr(0, json.size()), 1, structure);
    check_structure(structure, "row");
  });
}

std::string water(const std::string& more) {
  return R"({"numbers": {"__ndarray__": [[3], "int64", [8, 1, 1]]}, "positions": {"__ndarray__": [[3, 3], "float64",
[0, 0, 0, 0, 0.8, 0.6, 0, -0.8, 0.6]]}, "data": {"charge": 0, "spin": 1})" +
         more + "}";
}

TEST(OMol25Rows, WrongShapesAndNumbers) {
  EXPECT_EQ(row_error(""), "expected a JSON object");
  EXPECT_EQ(row_error("[]"), "expected a JSON object");
  EXPECT_EQ(row_error("{}"), "expected 'numbers' and 'positions'");
  EXPECT_EQ(row_error(water(R"(, "energy": NaN)")), "energy: expected a number, found NaN");
  EXPECT_EQ(row_error(water(R"(, "energy": -Infinity)")), "energy: expected a number, found -Infinity");
  EXPECT_EQ(row_error(water(R"(, "energy": 1e999)")), "row: the energy is NaN or infinity");
  EXPECT_EQ(row_error(water(R"(, "energy": "-76")")), "energy: expected a number, found \"-76\"");
  const std::string forces = R"(, "forces": {"__ndarray__": )";
  EXPECT_EQ(row_error(water(forces + R"([[2, 3], "float64", [1, 2, 3, 4, 5, 6]]})")),
            "forces: expected shape [3, 3], found [2, 3] with 6 values");
  EXPECT_EQ(row_error(water(forces + R"([[3, 3], "float64", [1, 2, 3, 4, 5, 6]]})")),
            "forces: expected shape [3, 3], found [3, 3] with 6 values");
  EXPECT_EQ(row_error(water(forces + R"([[3, 3], "float64", [1, 2, 3, 4, 5, 6, 7, 8, NaN]]})")),
            "forces: expected a number, found NaN");
  EXPECT_EQ(row_error(water(forces + R"([[3, 3], "complex128", [1, 2, 3, 4, 5, 6, 7, 8, 9]]})")),
            "forces: expected an array of real numbers, found type complex128");
  EXPECT_EQ(row_error(water(forces + R"([[1e18, 3], "float64", []]})")),
            "forces: expected a whole number, found 1e+18");
  EXPECT_EQ(row_error(water(forces + "[]}")), "forces: expected __ndarray__: [shape, type, flat list]");
  EXPECT_EQ(row_error(water(R"(, "forces": [[1, 2, 3], [1, 2]])")), "forces: lists of 3 and of 2 items side by side");
  EXPECT_EQ(row_error(water(R"(, "forces": [[[[1]]]])")), "forces: lists nested deeper than 3 levels");
  EXPECT_EQ(row_error(water(R"(, "forces": {"x": 1})")), "forces: expected an object with __ndarray__ only, found 'x'");
  EXPECT_EQ(row_error(water(R"(, "forces": null)")), "forces: expected an array, found null");
  EXPECT_EQ(row_error(water(R"(, "data": 5)")), "data: expected an object, found another value");
  EXPECT_EQ(row_error(water(R"(, "data": {"charge": 0.5})")), "data: charge: expected a whole number, found 0.5");
  EXPECT_EQ(row_error(water(R"(, "pbc": [true, true, true])")), "row: periodic along lattice vector 1, which is zero");
  EXPECT_EQ(row_error(water("") + "{}"), "JSON: byte 178: expected the end, found {");
  EXPECT_FALSE(row_error(water(R"(, "forces": )" + std::string(100000, '['))).empty());
  EXPECT_FALSE(row_error(water("").substr(0, 150)).empty());
}

TEST(OMol25Rows, AtomsAndSpin) {
  const auto row = [](const std::string& numbers, const std::string& data) {
    return fmt::format(R"({{"numbers": [{}], "positions": [[0, 0, 0]], "data": {}}})", numbers, data);
  };
  const std::string neutral = R"({"charge": 0, "spin": 1})";
  EXPECT_EQ(row_error(row("119", neutral)), "row: 119 is not an atomic number");
  EXPECT_EQ(row_error(row("0", neutral)), "row: 0 is not an atomic number");
  EXPECT_EQ(row_error(row("2.5", neutral)), "numbers: expected a whole number, found 2.5");
  EXPECT_EQ(row_error(R"({"numbers": [], "positions": [], "data": {"charge": 0, "spin": 1}})"),
            "positions: expected shape [0, 3], found [0] with 0 values");
  EXPECT_EQ(
      row_error(
          R"({"numbers": {"__ndarray__": [[0], "int64", []]}, "positions": {"__ndarray__": [[0, 3], "float64", []]},
                          "data": {"charge": 0, "spin": 1}})"),
      "row: no atoms");
  EXPECT_TRUE(
      row_error(row("8", R"({"charge": 0, "spin": 2})")).starts_with("row: multiplicity 2 does not agree with 8"));
  EXPECT_EQ(row_error(row("8", R"({"charge": null, "spin": 1})")),
            "no total charge ('charge' in data): say --charge for rows without one, or --charge-key");
}

TEST(OMol25Rows, PlainListsAndUnusedNan) {
  omol25::RowDecoder decode({});
  std::string json =
      R"({"numbers": [8], "positions": [[0.1, 0.2, 0.3]], "forces": [[1, 2, 3]], "gap": NaN, "energy": -75.5,
                         "data": {"homo": [NaN, Infinity], "charge": -2, "spin": 1}})";
  const std::size_t size = json.size();
  json += std::string(Inflater::padding, '\0');
  Structure s;
  decode(std::string_view(json).substr(0, size), 1, s);
  EXPECT_EQ(s.positions, (std::vector<Vec3>{{0.1, 0.2, 0.3}}));
  EXPECT_EQ(s.forces, (std::vector<Vec3>{{1, 2, 3}}));
  EXPECT_EQ(s.energy, -75.5);
  EXPECT_EQ(s.charge, -2);
}

TEST(OMol25Files, RowsThatAreMissing) {
  TemporaryFolder folder;
  const auto zlib = [](const std::string& text) { return compress(text, Inflater::Wrapper::zlib); };
  const std::string path = folder / "x.aselmdb";
  write_lmdb(path, {{"1", zlib(water(""))}, {"3", zlib("{")}, {"nextid", zlib("4")}, {"deleted_ids", zlib("[]")}});
  auto reader = open_reader(path, "", {});
  Structure s;
  ASSERT_TRUE(reader->next(s));
  EXPECT_EQ(error_of([&] { reader->next(s); }), path + ": key 2: missing, though not among the deleted ones");
  EXPECT_TRUE(error_of([&] { reader->next(s); }).starts_with(path + ": key 3: JSON: "));
  EXPECT_FALSE(reader->next(s));
  write_lmdb(folder / "y.aselmdb", {{"1", zlib(water(""))}, {"nextid", zlib("1000000000000")}});
  EXPECT_EQ(error_of([&] { open_reader(folder / "y.aselmdb", "", {}); }),
            (folder / "y.aselmdb") +
                ": expected 999999999999 rows (keys nextid, deleted_ids), the file has 2 entries: incomplete copy?");
  write_lmdb(folder / "z.aselmdb", {{"1", zlib(water(""))}});
  EXPECT_EQ(error_of([&] { open_reader(folder / "z.aselmdb", "", {}); }),
            (folder / "z.aselmdb") + ": key nextid: expected the number of the next row; is this a data base of ASE?");
}

// ---- random damage: an Error or a result, nothing else

TEST(RandomDamage, Rows) {
  const std::string seed =
      water(R"(, "energy": -76.5, "forces": [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "pbc": [false, false, false])");
  std::mt19937 random(2);
  ReadOptions options;
  options.group = "{charge}";
  omol25::RowDecoder decode(options);
  Structure structure;
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string json = mutated(seed, random);
    const std::size_t size = json.size();
    json += std::string(Inflater::padding, '\0');
    try {
      decode(std::string_view(json).substr(0, size), 1, structure);
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 1000);
}

TEST(RandomDamage, CompressedEntries) {
  const std::string seed = compress(trajectory(step("O", real(-75))), Inflater::Wrapper::gzip);
  std::mt19937 random(3);
  Inflater inflate;
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    try {
      inflate(mutated(seed, random), Inflater::Wrapper::gzip);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
