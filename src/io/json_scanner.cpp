// SPDX-License-Identifier: MIT
#include "io/json_scanner.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.hpp"
#include "io/json_number.hpp"

namespace isotrope {

namespace {

constexpr std::size_t deepest = 1000;  ///< lists and objects in each other, as far as Python's json goes

constexpr auto token_ends = [] {
  std::array<bool, 256> ends{};
  for (const unsigned char c : std::string_view(",]}:[{\" \n\t\r\0", 12)) ends[c] = true;
  return ends;
}();
bool ends_token(char c) {
  return token_ends[static_cast<unsigned char>(c)];
}

void append_utf8(std::string& text, char32_t c) {
  const auto part = [&](int shift, int mark) { text += static_cast<char>(mark | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xc0 | (c >> 6));
    part(0, 0x80);
  } else if (c < 0x10000) {
    text += static_cast<char>(0xe0 | (c >> 12));
    part(6, 0x80);
    part(0, 0x80);
  } else {
    text += static_cast<char>(0xf0 | (c >> 18));
    part(12, 0x80);
    part(6, 0x80);
    part(0, 0x80);
  }
}

bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned head = byte(i), length = head < 0x80 ? 1 : head < 0xe0 ? 2 : head < 0xf0 ? 3 : 4;
    char32_t c = length == 1 ? head : head & (0xff >> (length + 1));
    for (unsigned k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
      c = c << 6 | (byte(i + k) & 0x3f);
    }
    static constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (head >= 0x80 && head < 0xc0))
      return false;
    i += length;
  }
  return true;
}

}  // namespace

void JsonScanner::fail_here(const char* expected) const {
  if (at_ >= end_) fail("JSON: byte {}: expected {}, the text ends", end_ - begin_, expected);
  std::string found;
  for (char c : token().substr(0, 20)) found += c >= ' ' && c <= '~' ? c : '?';
  fail("JSON: byte {}: expected {}, found {}", at_ - begin_, expected,
       found.empty() ? std::string(1, *at_ >= ' ' && *at_ <= '~' ? *at_ : '?') : found);
}

void JsonScanner::expect(char c) {
  blanks();
  const char expected[] = {'\'', c, '\'', '\0'};
  if (*at_ != c) fail_here(expected);
  ++at_;
}

bool JsonScanner::next(bool& first, char closing) {
  blanks();
  if (*at_ == closing) {
    ++at_;
    return false;
  }
  if (!first) {
    if (*at_ != ',') fail_here(closing == ']' ? "',' or ']'" : "',' or '}'");
    ++at_;
  }
  first = false;
  return true;
}

bool JsonScanner::next_key(bool& first, std::string_view& key) {
  if (!next(first, '}')) return false;
  key = text();
  expect(':');
  return true;
}

JsonScanner::Kind JsonScanner::kind() {
  blanks();
  switch (*at_) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::text;
    case 't':
    case 'f':
      return Kind::truth;
    case 'n':
      return Kind::null;
    case '-':
      return at_[1] == 'I' ? Kind::other : Kind::number;
    default:
      return *at_ >= '0' && *at_ <= '9' ? Kind::number : Kind::other;
  }
}

bool JsonScanner::number(double& value) {
  blanks();
  const char* const behind = parse_json_number(at_, value);
  if (!behind || !ends_token(*behind)) return false;
  at_ = behind;
  return true;
}

void JsonScanner::word(std::string_view expected) {
  blanks();
  const bool here = static_cast<std::size_t>(end_ - at_) >= expected.size() &&
                    std::string_view(at_, expected.size()) == expected && ends_token(at_[expected.size()]);
  if (!here) fail_here("a value");
  at_ += expected.size();
}

bool JsonScanner::truth() {
  const bool value = *at_ == 't';
  word(value ? "true" : "false");
  return value;
}

void JsonScanner::null() {
  word("null");
}

std::string_view JsonScanner::token() const {
  const char* last = at_;
  if (*last == '"') {
    while (++last < end_ && *last != '"') {
    }
    last = std::min(last + 1, end_);
  } else {
    while (!ends_token(*last)) ++last;
  }
  return {at_, static_cast<std::size_t>(last - at_)};
}

void JsonScanner::skip_text() {
  const char* const opening = at_;
  for (++at_; *at_ != '"'; ++at_) {
    if (static_cast<unsigned char>(*at_) < ' ') {
      if (at_ >= end_) at_ = end_;
      fail_here("the end of a text");
    }
    if (*at_ == '\\') ++at_;
  }
  if (at_ >= end_) {  // a backslash before the end
    at_ = opening;
    fail_here("a text that ends");
  }
  ++at_;
}

std::string_view JsonScanner::text() {
  blanks();
  if (*at_ != '"') fail_here("a text");
  const char* const begin = at_ + 1;
  skip_text();
  const std::string_view raw(begin, static_cast<std::size_t>(at_ - 1 - begin));
  require(is_utf8(raw), "JSON: byte {}: expected a text in UTF-8", begin - begin_);
  return raw.find('\\') == raw.npos ? raw : unescaped(raw);
}

std::string_view JsonScanner::unescaped(std::string_view raw) {
  static constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  text_.clear();
  for (const char *c = raw.data(), *last = c + raw.size(); c != last;) {
    if (*c != '\\') {
      text_ += *c++;
      continue;
    }
    ++c;
    const std::size_t letter = letters.find(*c);
    if (letter != letters.npos) {
      text_ += meanings[letter];
      ++c;
    } else if (*c == 'u') {
      append_utf8(text_, code_point(++c));
    } else {
      fail("JSON: byte {}: expected an escape of JSON in a text", c - begin_);
    }
  }
  return text_;
}

/// Four hexadecimal digits.
std::uint32_t JsonScanner::code_unit(const char* at) const {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    const char lower = static_cast<char>(*at | 0x20);
    const bool digit = *at >= '0' && *at <= '9', letter = lower >= 'a' && lower <= 'f';
    require(digit || letter, "JSON: byte {}: expected four hexadecimal digits behind \\u", at - begin_);
    value = 16 * value + static_cast<std::uint32_t>(digit ? *at - '0' : lower - 'a' + 10);
  }
  return value;
}

/// What follows "\u"; two halves of a pair make one character.
char32_t JsonScanner::code_point(const char*& at) const {
  char32_t c = code_unit(at);
  const std::ptrdiff_t place = at - begin_;
  at += 4;
  if (c >= 0xd800 && c < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
    const char32_t low = code_unit(at + 2);
    if (low >= 0xdc00 && low < 0xe000) {
      at += 6;
      return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
  }
  require(c < 0xd800 || c >= 0xe000, "JSON: byte {}: half of a character in a text", place);
  return c;
}

void JsonScanner::skip_scalar() {
  if (*at_ == '"') return skip_text();
  const char* const begin = at_;
  while (!ends_token(*at_)) ++at_;
  const std::string_view word(begin, static_cast<std::size_t>(at_ - begin));
  const bool number = !word.empty() && ((word[0] >= '0' && word[0] <= '9') || (word[0] == '-' && word.size() > 1));
  if (number || word == "true" || word == "false" || word == "null" || word == "NaN" || word == "Infinity") return;
  at_ = begin;
  fail_here("a value");
}

void JsonScanner::skip() {
  open_.clear();
  for (;;) {
    blanks();
    bool inside = *at_ == '{' || *at_ == '[';
    if (inside) {
      require(open_.size() < deepest, "JSON: byte {}: nested deeper than {} levels", at_ - begin_, deepest);
      open_.push_back(*at_ == '{' ? '}' : ']');
      ++at_;
      blanks();
    } else {
      skip_scalar();
    }
    while (!open_.empty()) {  // what follows a value, or an opening bracket
      blanks();
      if (*at_ == open_.back()) {
        open_.pop_back();
        ++at_;
        inside = false;
        continue;
      }
      if (!inside) {
        if (*at_ != ',') fail_here(open_.back() == ']' ? "',' or ']'" : "',' or '}'");
        ++at_;
        blanks();
      }
      if (open_.back() == '}') {
        if (*at_ != '"') fail_here("a key");
        skip_text();
        expect(':');
      }
      break;
    }
    if (open_.empty()) return;
  }
}

void JsonScanner::end() {
  blanks();
  if (at_ != end_) fail_here("the end");
}

}  // namespace isotrope
