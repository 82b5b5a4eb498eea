// SPDX-License-Identifier: MIT
// JSON in one pass: numbers to the last bit, what is no JSON refused with its place.
#include "io/json_scanner.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <random>

#include "io/json_number.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;

namespace {

std::string padded(const std::string& text) {
  return text + std::string(JsonScanner::padding, '\0');
}

/// Against the C library, which rounds exactly.
void expect_as_strtod(const std::string& text) {
  const std::string with_zeros = padded(text);
  double found = -1;
  const char* const behind = parse_json_number(with_zeros.data(), found);
  ASSERT_EQ(behind, with_zeros.data() + text.size()) << text;
  EXPECT_EQ(std::bit_cast<std::uint64_t>(found), std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr)))
      << text;
}

std::string shortest(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

TEST(JsonNumber, RoundsAsTheCLibrary) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  for (int i = 0; i < 100'000; ++i) {
    const double any = std::bit_cast<double>(random());
    if (std::isfinite(any)) expect_as_strtod(shortest(any));
    expect_as_strtod(shortest(normal(random) * std::pow(10, static_cast<int>(random() % 12) - 6)));
    // Half way between two doubles, and close to it.
    const std::uint64_t half = 2 * ((random() >> 11) | (std::uint64_t(1) << 52)) + 1;
    expect_as_strtod(std::to_string(half));
    expect_as_strtod(std::to_string(half) + "." + std::string(random() % 12, '0') + "1");
    // Up to 19 digits with any small power of ten.
    expect_as_strtod(std::to_string(random() % 10'000'000'000'000'000'000u) + "e" +
                     std::to_string(static_cast<int>(random() % 120) - 60));
  }
}

TEST(JsonNumber, EdgesOfItsRange) {
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "-0.0e7",
                           "0e5",
                           "5e-324",
                           "2.4703282292062327e-324",
                           "1e-999",
                           "1e999",
                           "-1e999",
                           "1.7976931348623157e308",
                           "1.7976931348623159e308",
                           "9007199254740993",
                           "9007199254740993.0",
                           "18446744073709551615",
                           "18446744073709551616",
                           "9999999999999999999",
                           "123456789012345678901234567890",
                           "0.00000000000000000000000000000000000000000000000012345678901234567",
                           "1E+5",
                           "1e05",
                           "12345678",
                           "1.12345678",
                           "1.1234567890123456",
                           "1.123456789012345678901234",
                           "1e99999999999999999999"})
    expect_as_strtod(text);
  for (const char* text : {"", "-", "01", "-01", "1.", "1.e5", "1e", "1e+", ".5", "+1", "-.5", "nan", "Infinity"}) {
    double value;
    EXPECT_EQ(parse_json_number(padded(text).data(), value), nullptr) << text;
  }
}

/// The message of passing over one value and reaching the end.
std::string skip_error(const std::string& text) {
  const std::string with_zeros = padded(text);
  return error_of([&] {
    JsonScanner json(std::string_view(with_zeros).substr(0, text.size()));
    json.skip();
    json.end();
  });
}

TEST(JsonScanner, PassesOverValues) {
  for (const char* text : {"1", "-1.5e3", "true", "false", "null", "NaN", "-Infinity", "\"a\\\"b\"", "[]", "{}",
                           "[1, [2, {}], \"]\"]", R"({"a": {"b": [1, 2]}, "c": null})", " [ 1 , 2 ] "}) {
    const std::string with_zeros = padded(text);
    JsonScanner json(std::string_view(with_zeros).substr(0, std::string(text).size()));
    EXPECT_NO_THROW((json.skip(), json.end())) << text;
  }
}

TEST(JsonScanner, RefusesWhatIsNoJson) {
  EXPECT_EQ(skip_error(""), "JSON: byte 0: expected a value, the text ends");
  EXPECT_EQ(skip_error("[1, 2"), "JSON: byte 5: expected ',' or ']', the text ends");
  EXPECT_EQ(skip_error("[1 2]"), "JSON: byte 3: expected ',' or ']', found 2");
  EXPECT_EQ(skip_error("[1,]"), "JSON: byte 3: expected a value, found ]");
  EXPECT_EQ(skip_error("[1}"), "JSON: byte 2: expected ',' or ']', found }");
  EXPECT_EQ(skip_error("{\"a\": 1, 2}"), "JSON: byte 9: expected a key, found 2");
  EXPECT_EQ(skip_error("{\"a\" 1}"), "JSON: byte 5: expected ':', found 1");
  EXPECT_EQ(skip_error("nul"), "JSON: byte 0: expected a value, found nul");
  EXPECT_EQ(skip_error("\"abc"), "JSON: byte 4: expected the end of a text, the text ends");
  EXPECT_EQ(skip_error("\"abc\\"), "JSON: byte 5: expected the end of a text, the text ends");
  EXPECT_EQ(skip_error("\"a\nb\""), "JSON: byte 2: expected the end of a text, found ?");
  EXPECT_EQ(skip_error("1 1"), "JSON: byte 2: expected the end, found 1");
  EXPECT_EQ(skip_error(std::string("1\0", 2)), "JSON: byte 1: expected the end, found ?");
  EXPECT_EQ(skip_error(std::string(2000, '[')), "JSON: byte 1000: nested deeper than 1000 levels");
}

std::string text_of(const std::string& json) {
  const std::string with_zeros = padded(json);
  JsonScanner scanner(std::string_view(with_zeros).substr(0, json.size()));
  const std::string text(scanner.text());
  scanner.end();
  return text;
}

TEST(JsonScanner, Texts) {
  EXPECT_EQ(text_of(R"("plain")"), "plain");
  EXPECT_EQ(text_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(text_of(R"("\u0041\u00e4\u20ac\ud83d\ude00")"), "Aä€😀");
  EXPECT_EQ(text_of("\"ä€😀\""), "ä€😀");
  EXPECT_EQ(error_of([] { text_of(R"("\x")"); }), "JSON: byte 2: expected an escape of JSON in a text");
  EXPECT_EQ(error_of([] { text_of(R"("\u12g4")"); }), "JSON: byte 5: expected four hexadecimal digits behind \\u");
  EXPECT_EQ(error_of([] { text_of(R"("\ud83d")"); }), "JSON: byte 3: half of a character in a text");
  EXPECT_EQ(error_of([] { text_of("5"); }), "JSON: byte 0: expected a text, found 5");
  for (const char* bad :
       {"\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\x80\""})
    EXPECT_EQ(error_of([&] { text_of(bad); }), "JSON: byte 1: expected a text in UTF-8");
}

}  // namespace
