// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Python pickles that hold data only: None, bool, int, float, str, bytes, list, tuple, dict, in protocols 2 to 5 as
/// Python's pickle module writes these. Anything that would import, call or fetch is refused: unpickling it in Python
/// can run any program. Source: Python's pickletools, which documents each opcode.
namespace isotrope::pickle {

struct Container;

/// A value, 16 bytes. Text and containers live in the pickle's bytes and in its Document: no value outlives them.
class Value {
 public:
  enum class Kind : std::uint8_t { none, boolean, integer, real, text, bytes, list, tuple, dict, absent };

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  /// Of boolean and integer.
  std::int64_t integer() const { return integer_; }
  double real() const { return real_; }
  std::string_view text() const { return {text_, size_}; }  ///< of text (UTF-8, not checked) and bytes
  const Container& container() const { return *container_; }

  Value() = default;  ///< None

 private:
  friend class Machine;
  explicit Value(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::none;
  std::uint32_t size_ = 0;
  union {
    std::int64_t integer_ = 0;
    double real_;
    const char* text_;
    Container* container_;
  };
};

const char* kind_name(Value::Kind kind);  ///< as Python calls it: "dict"

/// The items of a list or tuple; of a dict key, value, key, value. They lie in blocks, one for each time that the
/// pickle added some.
struct Container {
  struct Block {
    std::uint32_t begin, count;
    Block* next;
  };
  Block* first = nullptr;
  Block* last = nullptr;
  std::size_t size = 0;  ///< items; of a dict keys and values
};

/// What a pickle held. Reusable: parse() keeps the memory of the one before.
class Document {
 public:
  Document();
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// Throws "byte 17: ..." without saying in which entry. Memory and time are bounded by a small multiple of the bytes;
  /// a container may occur in many places, or in itself: who walks it decides how far.
  /// `pickle` must stay as long as the result is used.
  Value parse(std::string_view pickle);

  /// Calls f(item) for each item of a list or tuple.
  template <class F>
  void for_each(const Value& sequence, F&& f) const {
    for (const Container::Block* b = sequence.container().first; b; b = b->next)
      for (std::uint32_t i = 0; i < b->count; ++i) f(items_[b->begin + i]);
  }
  /// Calls f(key, value).
  template <class F>
  void for_each_pair(const Value& dict, F&& f) const {
    for (const Container::Block* b = dict.container().first; b; b = b->next)
      for (std::uint32_t i = 0; i + 1 < b->count; i += 2) f(items_[b->begin + i], items_[b->begin + i + 1]);
  }

 private:
  friend class Machine;
  struct Pool;
  std::vector<Value> items_, stack_, memo_;
  std::vector<std::uint32_t> marks_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace isotrope::pickle
