// SPDX-License-Identifier: MIT
// The reader of pickles: what is no data is refused, nothing is larger or deeper than the bytes allow.
#include "io/pickle.hpp"

#include <gtest/gtest.h>

#include "io/pubchemqcr.hpp"
#include "support/forged_formats.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using namespace isotrope::testing;

namespace {

std::string parse_error(const std::string& pickle) {
  pickle::Document document;
  return error_of([&] { document.parse(pickle); });
}

TEST(Pickle, WhatWouldRunIsRefusedWithItsPlace) {
  const std::string end = " would run Python code; only plain data is read, nothing of this entry was used";
  // pickle.dumps(os.system("...")) in protocols 2 and 4: GLOBAL or STACK_GLOBAL, then REDUCE
  EXPECT_EQ(parse_error(bytes("\x80\x02"
                              "cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.")),
            "byte 2: GLOBAL (posix system)" + end);
  EXPECT_EQ(parse_error(bytes("\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93"
                              "\x94\x8c\x02id\x94\x85\x94R\x94.")),
            "byte 28: STACK_GLOBAL (posix system)" + end);
  EXPECT_EQ(parse_error(bytes("\x80\x02"
                              "iposix\nsystem\n.")),
            "byte 2: INST (posix system)" + end);
  const std::pair<const char*, const char*> others[] = {
      {"R", "REDUCE"},    {"b", "BUILD"},          {"o", "OBJ"},
      {"\x81", "NEWOBJ"}, {"\x92", "NEWOBJ_EX"},   {"\x82", "EXT1"},
      {"\x83", "EXT2"},   {"\x84", "EXT4"},        {"P", "PERSID"},
      {"Q", "BINPERSID"}, {"\x97", "NEXT_BUFFER"}, {"\x98", "READONLY_BUFFER"}};
  for (const auto& [op, name] : others)
    EXPECT_EQ(parse_error("\x80\x04NN" + std::string(op) + "."), fmt::format("byte 4: {}", name) + end);
  EXPECT_EQ(parse_error("\x80\x04\x8f."),  // a set
            "byte 2: opcode 0x8f: expected plain data (None, bool, int, float, str, bytes, list, tuple, dict)");
}

TEST(Pickle, LengthsAreCheckedAgainstTheBytesLeft) {
  EXPECT_EQ(parse_error(bytes("\x80\x04X\xff\xff\xff\xff.")), "byte 2: a length of 4294967295 bytes where 1 are left");
  EXPECT_EQ(parse_error(bytes("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.")),
            "byte 2: a length of 18446744073709551615 bytes where 1 are left");
  EXPECT_EQ(parse_error(bytes("\x80\x04\x8b\xff\xff\xff\x7f.")),
            "byte 2: a length of 2147483647 bytes where 1 are left");
  EXPECT_EQ(parse_error(bytes("\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00.")),
            "byte 2: a frame of 255 bytes where 1 are left");
  EXPECT_EQ(parse_error(bytes("\x80\x04\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.")),
            "byte 2: an integer of 9 bytes, expected at most 8");
  EXPECT_EQ(parse_error(bytes("\x80\x04G\x00")), "byte 2: a length of 8 bytes where 1 are left");
}

TEST(Pickle, MemoIsBounded) {
  EXPECT_EQ(parse_error(bytes("\x80\x04Nr\xff\xff\xff\xff.")), "byte 3: memo entry 4294967295 after 8 bytes");
  EXPECT_EQ(parse_error(bytes("\x80\x04h\x05.")), "byte 2: memo entry 5 was never made");
  // A list of ten lists of ten lists ... : 10^20 leaves in a few hundred bytes. They are not copied.
  std::string laughs = bytes("\x80\x04]\x94");
  for (int level = 0; level < 20; ++level) {
    laughs += "](";
    for (int i = 0; i < 10; ++i) laughs += std::string("h") + static_cast<char>(level);
    laughs += "e\x94";
  }
  pickle::Document document;
  EXPECT_EQ(error_of([&] { document.parse(laughs + "."); }), "byte 484: values are left over at the STOP");
}

TEST(Pickle, DeepNesting) {
  EXPECT_EQ(parse_error("\x80\x04" + std::string(2000, '(') + "."), "byte 1002: nested deeper than 1000 levels");
  // A million lists in lists: parsed and forgotten without recursion.
  const int depth = 1'000'000;
  pickle::Document document;
  const pickle::Value value = document.parse("\x80\x04" + std::string(depth, ']') + std::string(depth - 1, 'a') + ".");
  EXPECT_TRUE(value.is(pickle::Value::Kind::list));
  EXPECT_EQ(error_of([&] { pubchemqcr::find_stage(document, value, "pm3"); }), "expected a dict of stages, found list");
}

TEST(Pickle, StackAndShape) {
  EXPECT_EQ(parse_error(""), "byte 0: expected a pickle of protocol 2 to 5");
  EXPECT_EQ(parse_error("(lp0\n."), "byte 0: expected a pickle of protocol 2 to 5");
  EXPECT_EQ(parse_error("\x80\x09N."), "byte 0: expected pickle protocol 2 to 5, found 9");
  EXPECT_EQ(parse_error("\x80\x04N"), "byte 3: the pickle ends before its STOP: truncated?");
  EXPECT_EQ(parse_error("\x80\x04N.N"), "byte 3: 1 bytes follow the STOP");
  EXPECT_EQ(parse_error("\x80\x04."), "byte 2: a value is needed, the stack is empty");
  EXPECT_EQ(parse_error("\x80\x04NN."), "byte 4: values are left over at the STOP");
  EXPECT_EQ(parse_error("\x80\x04Na."), "byte 3: a list is needed, the stack is empty");
  EXPECT_EQ(parse_error("\x80\x04NNa."), "byte 4: a list is needed, the stack has None");
  EXPECT_EQ(parse_error("\x80\x04](NNu."), "byte 6: a dict is needed, the stack has list");
  EXPECT_EQ(parse_error("\x80\x04}(Nu."), "byte 5: a key of a dict has no value");
  EXPECT_EQ(parse_error("\x80\x04]e."), "byte 3: a mark is needed, there is none");
  EXPECT_EQ(parse_error("\x80\x04](\x94."), "byte 4: a value is needed to remember, the stack is empty");
  EXPECT_EQ(parse_error("\x80\x04N\x86."), "byte 3: 2 values are needed, the stack has 1");
}

TEST(Pickle, ValuesOfEveryKind) {
  // (True, None, -5, 70000, -2**40, 0.1, "ä", b"x", [], {1: ()})
  const std::string text = bytes(
      "\x80\x04(\x88NJ\xfb\xff\xff\xffJ\x70\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\xffG?\xb9\x99\x99\x99\x99\x99\x9a"
      "\x8c\x02\xc3\xa4"
      "C\x01x]}K\x01)st.");
  pickle::Document document;
  const pickle::Value tuple = document.parse(text);
  std::vector<pickle::Value> items;
  document.for_each(tuple, [&](const pickle::Value& item) { items.push_back(item); });
  ASSERT_EQ(items.size(), 10u);
  EXPECT_TRUE(items[1].is(pickle::Value::Kind::none));
  EXPECT_EQ(items[0].integer(), 1);
  EXPECT_EQ(items[2].integer(), -5);
  EXPECT_EQ(items[3].integer(), 70000);
  EXPECT_EQ(items[4].integer(), -(std::int64_t(1) << 40));
  EXPECT_EQ(items[5].real(), 0.1);
  EXPECT_EQ(items[6].text(), "ä");
  EXPECT_EQ(items[7].text(), "x");
  std::string kinds;
  for (const auto& item : items) kinds += std::string(kind_name(item.kind())) + " ";
  EXPECT_EQ(kinds, "bool None int int int float str bytes list dict ");
}

/// Text with the items of every list and dict, for comparison.
std::string printed(const pickle::Document& document, const pickle::Value& value) {
  using Kind = pickle::Value::Kind;
  std::string text = kind_name(value.kind());
  if (value.is(Kind::integer)) text += fmt::format(" {}", value.integer());
  if (value.is(Kind::real)) text += fmt::format(" {}", value.real());
  if (value.is(Kind::text)) text += fmt::format(" {}", value.text());
  const auto items = [&](const pickle::Value& item) { text += printed(document, item) + ","; };
  if (value.is(Kind::list)) document.for_each(value, items);
  if (value.is(Kind::dict))
    document.for_each_pair(value, [&](const pickle::Value& key, const pickle::Value& of_key) {
      items(key);
      items(of_key);
    });
  return text + ";";
}

/// Dicts with the same keys are taken at once; what deviates from the one before is read as ever.
TEST(Pickle, DictsThatRepeat) {
  // Memo: 0 the list, 1 the dict, 2 "a", 3 "b", 4 "O", then a dict each.
  const std::string first =
      bytes("\x80\x04]\x94(}\x94(") + text("a") + "\x94" + real(1) + text("b") + "\x94" + text("O") + "\x94u";
  const auto record = [](const std::string& a, const std::string& b) {
    return bytes("}\x94(h\x02") + a + bytes("h\x03") + b + "u";
  };
  const std::string o = bytes("h\x04");
  const auto parsed = [&](const std::string& more) {
    pickle::Document document;
    const std::string pickle = first + record(real(2), o) + more + "e.";
    return printed(document, document.parse(pickle));
  };
  const auto dict = [](const std::string& a, const std::string& b) {
    return "dict" + ("str a;," + a + ";,str b;," + b + ";,;,");
  };
  const std::string begin = "list" + dict("float 1", "str O") + dict("float 2", "str O");
  EXPECT_EQ(parsed(""), begin + ";");
  EXPECT_EQ(parsed(record(real(3), o) + record(real(4), "K\x07") + record(o, real(5))),
            begin + dict("float 3", "str O") + dict("float 4", "int 7") + dict("str O", "float 5") + ";");
  // Another length of integer, another key, a key less, one more, and then one as before.
  EXPECT_EQ(parsed(record(real(3), bytes("M\x07\x01")) + record(real(4), o)),
            begin + dict("float 3", "int 263") + dict("float 4", "str O") + ";");
  EXPECT_EQ(parsed(bytes("}\x94(h\x03") + real(3) + bytes("h\x02") + o + "u" + record(real(4), o)),
            begin + "dictstr b;,float 3;,str a;,str O;,;," + dict("float 4", "str O") + ";");
  EXPECT_EQ(parsed(bytes("}\x94(h\x02") + real(3) + "u" + record(real(4), o)),
            begin + "dictstr a;,float 3;,;," + dict("float 4", "str O") + ";");
  EXPECT_EQ(parsed(bytes("}\x94(h\x02") + real(3) + bytes("h\x03") + o + bytes("h\x04") + o + "u" + record(real(4), o)),
            begin + "dictstr a;,float 3;,str b;,str O;,str O;,str O;,;," + dict("float 4", "str O") + ";");
  // The memo counts them: number 5 is the second dict, 6 the one of this test.
  EXPECT_EQ(parsed(record(real(3), o) + bytes("h\x05") + bytes("h\x06")),
            begin + dict("float 3", "str O") + dict("float 2", "str O") + dict("float 3", "str O") + ";");
  EXPECT_EQ(error_of([&] { parsed(record(real(3), bytes("h\x07"))); }),
            fmt::format("byte {}: memo entry 7 was never made", (first + record(real(2), o)).size() + 3 + 2 + 9 + 2));
}

/// Random damage: an Error or a result, nothing else.
TEST(Pickle, RandomDamage) {
  const std::string seed = trajectory(step("O", real(-75)) + step("Cl", real(-460)) + atom("H", "", 1));
  std::mt19937 random(1);
  pickle::Document document;
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string text = mutated(seed, random);
    try {
      const pickle::Value stage = pubchemqcr::find_stage(document, document.parse(text), "pm3");
      if (stage.is(pickle::Value::Kind::none)) continue;
      document.for_each(stage, [&](const pickle::Value& one) {
        Structure s;
        accepted += pubchemqcr::read_step(document, one, s);
      });
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 1000);  // the mutations do not only break the first bytes
}

}  // namespace
