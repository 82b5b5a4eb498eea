// SPDX-License-Identifier: MIT
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace isotrope {

/// Reads JSON in one pass, in the order of its bytes: the caller says what it expects next, or passes over it. Nothing
/// is built, so numbers cost what their digits cost. Also understood: the NaN, Infinity and -Infinity of Python's json,
/// as values to pass over. Errors begin with "JSON: byte N".
class JsonScanner {
 public:
  /// So many zero bytes lie behind the text.
  static constexpr std::size_t padding = 32;
  enum class Kind { object, array, text, number, truth, null, other };

  explicit JsonScanner(std::string_view json) : begin_(json.data()), at_(begin_), end_(begin_ + json.size()) {}

  /// Of the value that comes next; other: none, or NaN and the like.
  Kind kind();
  /// Whether a value is this number; otherwise nothing is read.
  bool number(double& value);
  bool truth();             ///< true or false
  std::string_view text();  ///< without its escapes; valid until the next text or key
  void null();
  /// The number, word or text that comes next, as it is written; for lists and objects nothing.
  std::string_view token() const;
  void skip();  ///< passes over a value, whatever it is

  /// An array: open_array(), then for each item while (next_item(first)); `first` begins as true.
  void open_array() { expect('['); }
  bool next_item(bool& first) { return next(first, ']'); }
  /// An object likewise; `key` is valid until the next text or key.
  void open_object() { expect('{'); }
  bool next_key(bool& first, std::string_view& key);

  void end();  ///< throws where something follows

 private:
  [[noreturn]] void fail_here(const char* expected) const;
  void blanks() {
    while (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r') ++at_;
  }
  void expect(char c);
  bool next(bool& first, char closing);
  void word(std::string_view expected);
  void skip_text();
  void skip_scalar();
  std::string_view unescaped(std::string_view raw);
  std::uint32_t code_unit(const char* at) const;
  char32_t code_point(const char*& at) const;

  const char *begin_, *at_, *end_;
  std::string text_;
  std::vector<char> open_;
};

}  // namespace isotrope
