// SPDX-License-Identifier: MIT
// One bad entry between good ones: the conversion ends with a message that names its key and leaves nothing behind, or
// passes over it and lists it; what is written is whole.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/conversion.hpp"
#include "io/dataset.hpp"
#include "support/forged_formats.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using namespace isotrope::testing;

namespace {

std::string zlib(const std::string& text) {
  return compress(text, Inflater::Wrapper::zlib);
}
std::string gzip(const std::string& text) {
  return compress(text, Inflater::Wrapper::gzip);
}

std::string row(const std::string& numbers, const std::string& positions, const std::string& more) {
  return R"({"numbers": )" + numbers + R"(, "positions": )" + positions + R"(, "data": {"charge": 0, "spin": 1})" +
         more + "}";
}

/// Converts a file of three entries, of which the second is `bad`.
class OneBadEntry : public ::testing::Test {
 protected:
  /// `message`: what follows the name of the file.
  void expect(const std::string& input, const std::map<std::string, std::string>& entries, const std::string& stage,
              const std::string& message) {
    SCOPED_TRACE(message);
    std::filesystem::remove(input);
    write_lmdb(input, entries);
    for (const std::int64_t part : {0, 1}) {  // in one go, and in three parts
      ConversionRequest request{.inputs = {input}, .output = folder_ / "out.h5"};
      request.read.stage = stage;
      request.entries_per_part = part;
      EXPECT_EQ(error_of([&] { convert(request, communicator_); }), input + message);
      EXPECT_FALSE(std::filesystem::exists(request.output));
      std::filesystem::remove_all(request.output + ".parts");
      EXPECT_EQ(folder_.files(), 1);
      request.skip_bad = true;
      convert(request, communicator_);
      const Dataset data = Dataset::open(request.output);
      data.check_content();
      EXPECT_EQ(data.size(), 2);
      EXPECT_EQ(content(request.output + ".rejected.log"), input + message + "\n");
      EXPECT_EQ(folder_.files(), 3);
      std::filesystem::remove(request.output);
      std::filesystem::remove(request.output + ".rejected.log");
    }
  }
  void expect_row(const std::string& bad, const std::string& message) {
    const std::string good = zlib(row("[8]", "[[0, 0, 0]]", ""));
    expect(folder_ / "x.aselmdb",
           {{"1", good}, {"2", bad}, {"3", good}, {"nextid", zlib("4")}, {"deleted_ids", zlib("[]")}}, "",
           ": key 2: " + message);
  }
  void expect_steps(const std::string& bad, const std::string& message) {
    const std::string good = gzip(trajectory(step("O", real(-75))));
    expect(folder_ / "x.lmdb", {{"000000001", good}, {"000000002", bad}, {"000000003", good}}, "pm3",
           ": key 000000002" + message);
  }

  TemporaryFolder folder_;
  Communicator communicator_;
};

TEST_F(OneBadEntry, OfOMol25) {
  const std::string origin = "[[0, 0, 0]]";
  const std::string damaged = zlib(row("[8]", origin, ""));
  expect_row(damaged.substr(0, damaged.size() / 2),
             fmt::format("expected zlib data, found {} bytes that are damaged or cut off", damaged.size() / 2));
  expect_row(zlib(row("[8]", origin, "").substr(0, 40)), "JSON: byte 40: expected ',' or ']', the text ends");
  expect_row(zlib(row("[8, 1]", origin, "")), "positions: expected shape [2, 3], found [1, 3] with 3 values");
  expect_row(zlib(row("[8]", "[[0, 0]]", "")), "positions: expected shape [1, 3], found [1, 2] with 2 values");
  expect_row(zlib(row("[8]", origin, R"(, "forces": {"__ndarray__": [[2000000000, 3], "float64", [1, 2, 3]]})")),
             "forces: expected a whole number, found 2000000000");
  expect_row(zlib(row("[8]", origin, R"(, "energy": NaN)")), "energy: expected a number, found NaN");
  expect_row(zlib(row("[8]", origin, R"(, "energy": 1e999)")), "the energy is NaN or infinity");
  expect_row(zlib(row(R"({"__ndarray__": [[0], "int64", []]})", R"({"__ndarray__": [[0, 3], "float64", []]})", "")),
             "no atoms");
  expect_row(zlib(row("[119]", origin, "")), "119 is not an atomic number");
  expect_row(zlib(row("[8]", origin, R"(, "deep": )" + std::string(5000, '['))),
             fmt::format("JSON: byte {}: nested deeper than 1000 levels",
                         row("[8]", origin, R"(, "deep": )").size() - 1 + 1000));
}

TEST_F(OneBadEntry, OfPubChemQCR) {
  const std::string good = gzip(trajectory(step("O", real(-75))));
  expect_steps(good.substr(0, good.size() / 2),
               fmt::format(": expected gzip data, found {} bytes that are damaged or cut off", good.size() / 2));
  const std::string end = " would run Python code; only plain data is read, nothing of this entry was used";
  expect_steps(gzip(bytes("\x80\x02"
                          "cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.")),
               ": byte 2: GLOBAL (posix system)" + end);
  expect_steps(gzip("\x80\x04" + text("os") + text("system") + "\x93" + text("id") + "\x85R."),
               ": byte 14: STACK_GLOBAL (os system)" + end);
  expect_steps(gzip("\x80\x04" + text("id") + "\x85R."), ": byte 7: REDUCE" + end);
  expect_steps(gzip(bytes("\x80\x04Nr\xff\xff\xff\xff.")), ": byte 3: memo entry 4294967295 after 8 bytes");
  expect_steps(gzip("\x80\x04" + std::string(5000, '(') + "."), ": byte 1002: nested deeper than 1000 levels");
  expect_steps(gzip(bytes("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.")),
               ": byte 2: a length of 9223372036854775807 bytes where 1 are left");
  expect_steps(gzip(trajectory(step("O", real(std::nan(""))))), " pm3 step 0: the energy is NaN or infinity");
  expect_steps(gzip(trajectory(step("", real(0)))), " pm3 step 0: no atoms");
  expect_steps(gzip(trajectory(step("Xx", real(0)))),
               " pm3 step 0: \"Xx\" is not the symbol of an element; expected one of H, He, Li, ... Og.");
  expect_steps(gzip("\x80\x04}" + text("pm3") + "K\x01s."), ": stage pm3: expected a list of steps, found int");
}

/// A list of ten lists of ten lists ...: 10^20 leaves in a few hundred bytes.
TEST_F(OneBadEntry, OfPubChemQCRThatGrowsByItsMemo) {
  std::string laughs = "\x80\x04}(" + text("pm3") + "](]\x94";
  for (int level = 0; level < 20; ++level) {
    laughs += "0](";
    for (int i = 0; i < 10; ++i) laughs += std::string("h") + static_cast<char>(level);
    laughs += "e\x94";
  }
  expect_steps(gzip(laughs + "eu."), " pm3 step 0: expected a dict, found list");
}

}  // namespace
