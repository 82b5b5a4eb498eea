// SPDX-License-Identifier: MIT
#include "io/pickle.hpp"

#include <array>
#include <bit>
#include <cstring>

#include "core/error.hpp"
#include "io/pickle_opcodes.hpp"

namespace isotrope::pickle {

namespace {

static_assert(std::endian::native == std::endian::little, "integers in a pickle are little-endian");

constexpr std::size_t deepest = 1000;  ///< open marks: lists in lists, as written by Python
constexpr int first_protocol = 2, last_protocol = 5;

/// Text from a file that nobody vouches for, fit for a message.
std::string shown(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, 60)) result += c >= ' ' && c <= '~' ? c : c == '\n' ? ' ' : '?';
  return text.size() > 60 ? result + "..." : result;
}

}  // namespace

const char* kind_name(Value::Kind kind) {
  static const char* const names[] = {"None",  "bool", "int",   "float", "str",
                                      "bytes", "list", "tuple", "dict",  "nothing"};
  return names[static_cast<int>(kind)];
}

/// Objects that live until the next pickle; their memory is kept.
struct Document::Pool {
  template <class T>
  struct Shelf {
    static constexpr std::size_t per_page = 512;
    std::vector<std::unique_ptr<T[]>> pages;
    std::size_t used = 0;
    T* take() {
      if (used == pages.size() * per_page) pages.push_back(std::make_unique<T[]>(per_page));
      T* object = &pages[used / per_page][used % per_page];
      ++used;
      *object = T();
      return object;
    }
  };
  Shelf<Container> containers;
  Shelf<Container::Block> blocks;
};

Document::Document() : pool_(std::make_unique<Pool>()) {}
Document::~Document() = default;

/// Executes one pickle.
class Machine {
 public:
  Machine(Document& document, std::string_view pickle)
      : d_(document), begin_(pickle.data()), at_(begin_), end_(begin_ + pickle.size()) {
    d_.items_.clear();
    d_.stack_.clear();
    d_.memo_.clear();
    d_.marks_.clear();
    d_.pool_->containers.used = d_.pool_->blocks.used = 0;
  }

  Value run() {
    check(end_ - at_ >= 2 && static_cast<std::uint8_t>(*at_) == PROTO, "expected a pickle of protocol {} to {}",
          first_protocol, last_protocol);
    for (;;) {
      op_at_ = at_;
      check(at_ < end_, "the pickle ends before its STOP: truncated?");
      const auto op = static_cast<std::uint8_t>(*at_++);
      if (op == STOP) break;
      if (!frequent(op) && !scalar(op) && !container(op)) control(op);
    }
    const Value result = pop();
    check(d_.stack_.empty() && d_.marks_.empty(), "values are left over at the STOP");
    check(at_ == end_, "{} bytes follow the STOP", end_ - at_);
    return result;
  }

 private:
  using Kind = Value::Kind;

  template <class... Args>
  void check(bool good, fmt::format_string<Args...> text, Args&&... args) const {
    if (!good) fail("byte {}: {}", op_at_ - begin_, fmt::format(text, std::forward<Args>(args)...));
  }

  std::string_view take(std::uint64_t count) {
    check(count <= static_cast<std::uint64_t>(end_ - at_), "a length of {} bytes where {} are left", count, end_ - at_);
    std::string_view bytes(at_, count);
    at_ += count;
    return bytes;
  }
  template <class T>
  T take_integer() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  Value& push(Kind kind) { return d_.stack_.emplace_back(Value(kind)); }
  void push_integer(std::int64_t value) { push(Kind::integer).integer_ = value; }
  void push_text(Kind kind, std::uint64_t count) {
    const std::string_view text = take(count);
    check(count <= UINT32_MAX, "text of {} bytes", count);
    Value& value = push(kind);
    value.size_ = static_cast<std::uint32_t>(count);
    value.text_ = text.data();
  }
  /// Where values may be taken from: what lies below the last mark belongs to an outer container.
  std::size_t floor() const { return d_.marks_.empty() ? 0 : d_.marks_.back(); }
  Value pop() {
    check(d_.stack_.size() > floor(), "a value is needed, the stack is empty");
    Value value = d_.stack_.back();
    d_.stack_.pop_back();
    return value;
  }
  std::size_t pop_mark() {
    check(!d_.marks_.empty(), "a mark is needed, there is none");
    const std::size_t place = d_.marks_.back();
    d_.marks_.pop_back();
    return place;
  }

  /// Nearly all of a pickle of dicts of numbers.
  bool frequent(std::uint8_t op) {
    switch (op) {
      case BINGET:
        get(take_integer<std::uint8_t>());
        return true;
      case LONG_BINGET:
        get(take_integer<std::uint32_t>());
        return true;
      case BINFLOAT:
        push(Kind::real).real_ = std::bit_cast<double>(__builtin_bswap64(take_integer<std::uint64_t>()));
        return true;
      case MARK:
        mark();
        return true;
      case MEMOIZE:
        put(memo_count_);
        return true;
      case BINPUT:
        put(take_integer<std::uint8_t>());
        return true;
      case LONG_BINPUT:
        put(take_integer<std::uint32_t>());
        return true;
      case EMPTY_DICT:
        if (repeat_record()) return true;
        record_at_ = at_;
        make(Kind::dict);
        return true;
      case SETITEMS:
        extend(pop_mark(), Kind::dict);
        learn_record();
        return true;
      default:
        return false;
    }
  }

  /// A dict written in one go, MEMOIZE MARK (key value)... SETITEMS, with remembered keys and values that are
  /// remembered, floats or small integers, is the form of each atom in a list. Keeps its keys, to recognise the next.
  void learn_record() {
    const char* at = record_at_;
    record_at_ = nullptr;
    if (!at || at_ - at < 3 || static_cast<std::uint8_t>(at[0]) != MEMOIZE || at[1] != MARK) return;
    std::array<std::uint8_t, longest_record> keys;
    std::size_t count = 0;
    for (at += 2; *at == BINGET && count < longest_record;) {
      keys[count++] = static_cast<std::uint8_t>(at[1]);
      at += 2;
      at += *at == BINFLOAT ? 9 : *at == BINGET || *at == BININT1 ? 2 : 0;
    }
    if (at + 1 == at_) record_keys_.assign(keys.begin(), keys.begin() + count);
  }

  /// Does what the opcodes of a dict with the keys of the last one do, all at once; where the bytes differ from that,
  /// or something is wrong with them, it does nothing.
  bool repeat_record() {
    const std::size_t count = record_keys_.size(), longest = 2 + 11 * count + 1;
    const bool possible = count > 0 && static_cast<std::size_t>(end_ - at_) >= longest &&
                          static_cast<std::uint8_t>(at_[0]) == MEMOIZE && at_[1] == MARK &&
                          d_.memo_.size() == memo_count_ && d_.marks_.size() < deepest;
    if (!possible) return false;
    const std::size_t first = d_.items_.size();
    d_.items_.resize(first + 2 * count);
    Value* item = &d_.items_[first];
    const char* at = at_ + 2;
    for (const std::uint8_t key : record_keys_) {
      if (at[0] != BINGET || static_cast<std::uint8_t>(at[1]) != key || !take_record_value(at += 2, item[1])) {
        d_.items_.resize(first);
        return false;
      }
      *item = d_.memo_[key];
      item += 2;
    }
    if (*at != SETITEMS) {
      d_.items_.resize(first);
      return false;
    }
    at_ = at + 1;
    Container& container = *make(Kind::dict).container_;
    put(memo_count_);
    container.first = container.last = d_.pool_->blocks.take();
    *container.first = {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(2 * count), nullptr};
    container.size = 2 * count;
    return true;
  }
  bool take_record_value(const char*& at, Value& value) const {
    if (*at == BINFLOAT) {
      std::uint64_t bits;
      std::memcpy(&bits, at + 1, sizeof(bits));
      value.kind_ = Kind::real;
      value.real_ = std::bit_cast<double>(__builtin_bswap64(bits));
      at += 9;
      return true;
    }
    const std::size_t index = static_cast<std::uint8_t>(at[1]);
    if (*at == BININT1) {
      value.kind_ = Kind::integer;
      value.integer_ = static_cast<std::int64_t>(index);
      at += 2;
      return true;
    }
    if (*at != BINGET || index >= d_.memo_.size() || d_.memo_[index].is(Kind::absent)) return false;
    value = d_.memo_[index];
    at += 2;
    return true;
  }

  bool scalar(std::uint8_t op) {
    switch (op) {
      case NONE:
        push(Kind::none);
        return true;
      case NEWTRUE:
        push(Kind::boolean).integer_ = 1;
        return true;
      case NEWFALSE:
        push(Kind::boolean).integer_ = 0;
        return true;
      case BININT:
        push_integer(take_integer<std::int32_t>());
        return true;
      case BININT1:
        push_integer(take_integer<std::uint8_t>());
        return true;
      case BININT2:
        push_integer(take_integer<std::uint16_t>());
        return true;
      case LONG1:
        push_long(take_integer<std::uint8_t>());
        return true;
      case LONG4:
        push_long(take_integer<std::uint32_t>());
        return true;
      case SHORT_BINUNICODE:
        push_text(Kind::text, take_integer<std::uint8_t>());
        return true;
      case BINUNICODE:
        push_text(Kind::text, take_integer<std::uint32_t>());
        return true;
      case BINUNICODE8:
        push_text(Kind::text, take_integer<std::uint64_t>());
        return true;
      case SHORT_BINBYTES:
        push_text(Kind::bytes, take_integer<std::uint8_t>());
        return true;
      case BINBYTES:
        push_text(Kind::bytes, take_integer<std::uint32_t>());
        return true;
      case BINBYTES8:
      case BYTEARRAY8:
        push_text(Kind::bytes, take_integer<std::uint64_t>());
        return true;
      default:
        return false;
    }
  }

  /// Little-endian two's complement of any length.
  void push_long(std::uint32_t count) {
    const std::string_view bytes = take(count);
    check(count <= 8, "an integer of {} bytes, expected at most 8", count);
    std::uint64_t value = count > 0 && (bytes.back() & 0x80) ? ~std::uint64_t(0) : 0;
    std::memcpy(&value, bytes.data(), count);
    push_integer(static_cast<std::int64_t>(value));
  }

  bool container(std::uint8_t op) {
    switch (op) {
      case EMPTY_LIST:
        make(Kind::list);
        return true;
      case EMPTY_TUPLE:
        make(Kind::tuple);
        return true;
      case APPEND:
        check_count(1);
        extend(d_.stack_.size() - 1, Kind::list);
        return true;
      case APPENDS:
        extend(pop_mark(), Kind::list);
        return true;
      case SETITEM:
        check_count(2);
        extend(d_.stack_.size() - 2, Kind::dict);
        return true;
      case TUPLE:
        make_tuple(pop_mark());
        return true;
      case TUPLE1:
      case TUPLE2:
      case TUPLE3:
        check_count(op - TUPLE1 + 1);
        make_tuple(d_.stack_.size() - (op - TUPLE1 + 1));
        return true;
      default:
        return false;
    }
  }
  void check_count(std::size_t count) const {
    check(d_.stack_.size() >= floor() + count, "{} values are needed, the stack has {}", count,
          d_.stack_.size() - floor());
  }
  Value& make(Kind kind) {
    Value& value = push(kind);
    value.container_ = d_.pool_->containers.take();
    return value;
  }
  /// Moves what lies from `from` on into the container below it.
  void extend(std::size_t from, Kind kind) {
    check(from > floor(), "a {} is needed, the stack is empty", kind_name(kind));
    const Value target = d_.stack_[from - 1];
    check(target.is(kind), "a {} is needed, the stack has {}", kind_name(kind), kind_name(target.kind()));
    check(kind == Kind::list || (d_.stack_.size() - from) % 2 == 0, "a key of a dict has no value");
    fill(*target.container_, from);
  }
  void make_tuple(std::size_t from) {
    Container* container = d_.pool_->containers.take();
    fill(*container, from);
    push(Kind::tuple).container_ = container;
  }
  void fill(Container& container, std::size_t from) {
    const std::size_t count = d_.stack_.size() - from;
    if (count == 0) return;
    Container::Block* block = d_.pool_->blocks.take();
    *block = {static_cast<std::uint32_t>(d_.items_.size()), static_cast<std::uint32_t>(count), nullptr};
    d_.items_.insert(d_.items_.end(), d_.stack_.begin() + static_cast<std::ptrdiff_t>(from), d_.stack_.end());
    d_.stack_.resize(from);
    (container.last ? container.last->next : container.first) = block;
    container.last = block;
    container.size += count;
  }

  void put(std::size_t index) {
    check(d_.stack_.size() > floor(), "a value is needed to remember, the stack is empty");
    // Python numbers them from 0 on: no index exceeds the bytes that came before.
    check(index <= static_cast<std::size_t>(at_ - begin_), "memo entry {} after {} bytes", index, at_ - begin_);
    if (index >= d_.memo_.size()) d_.memo_.resize(index + 1, Value(Kind::absent));
    memo_count_ += d_.memo_[index].is(Kind::absent);
    d_.memo_[index] = d_.stack_.back();
  }
  void get(std::size_t index) {
    check(index < d_.memo_.size() && !d_.memo_[index].is(Kind::absent), "memo entry {} was never made", index);
    d_.stack_.push_back(d_.memo_[index]);
  }

  void mark() {
    check(d_.marks_.size() < deepest, "nested deeper than {} levels", deepest);
    d_.marks_.push_back(static_cast<std::uint32_t>(d_.stack_.size()));
  }

  void control(std::uint8_t op) {
    switch (op) {
      case PROTO:
        check_protocol(take_integer<std::uint8_t>());
        return;
      case FRAME:
        take_frame(take_integer<std::uint64_t>());
        return;
      case POP:
        if (d_.stack_.size() == floor())
          pop_mark();
        else
          d_.stack_.pop_back();
        return;
      case POP_MARK:
        d_.stack_.resize(pop_mark());
        return;
      default:
        refuse(op);
    }
  }
  void check_protocol(int protocol) const {
    check(protocol >= first_protocol && protocol <= last_protocol, "expected pickle protocol {} to {}, found {}",
          first_protocol, last_protocol, protocol);
  }
  void take_frame(std::uint64_t size) const {
    check(size <= static_cast<std::uint64_t>(end_ - at_), "a frame of {} bytes where {} are left", size, end_ - at_);
  }
  [[noreturn]] void refuse(std::uint8_t op) const {
    const char* call = name_of_call(op);
    check(call != nullptr,
          "opcode 0x{:02x}: expected plain data (None, bool, int, float, str, bytes, list, tuple, dict)", op);
    std::string what;
    if (op == 'c' || op == 'i') {
      const std::string_view rest(at_, end_ - at_);
      const std::size_t first = rest.find('\n');
      what = shown(rest.substr(0, first == rest.npos ? first : rest.find('\n', first + 1)));
    } else if (op == 0x93 && d_.stack_.size() >= 2) {
      const Value &module = d_.stack_[d_.stack_.size() - 2], &name = d_.stack_.back();
      if (module.is(Kind::text) && name.is(Kind::text)) what = shown(fmt::format("{} {}", module.text(), name.text()));
    }
    check(false, "{}{} would run Python code; only plain data is read, nothing of this entry was used", call,
          what.empty() ? "" : fmt::format(" ({})", what));
    __builtin_unreachable();
  }

  Document& d_;
  const char *begin_, *at_, *end_, *op_at_ = begin_;
  std::size_t memo_count_ = 0;
  static constexpr std::size_t longest_record = 16;
  std::vector<std::uint8_t> record_keys_;  ///< places in the memo
  const char* record_at_ = nullptr;        ///< behind the last EMPTY_DICT, until it is filled
};

Value Document::parse(std::string_view pickle) {
  return Machine(*this, pickle).run();
}

}  // namespace isotrope::pickle
