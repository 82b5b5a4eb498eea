// SPDX-License-Identifier: MIT
#include "io/extxyz.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "io/extxyz_frame.hpp"

namespace isotrope {
namespace extxyz {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::size_t skip_blanks(std::string_view line, std::size_t at) {
  while (at < line.size() && is_blank(line[at])) ++at;
  return at;
}

/// A value that begins at `at`; moves `at` behind it.
std::string parse_value(std::string_view line, std::size_t& at, const std::string& where) {
  const char open = at < line.size() ? line[at] : ' ';
  const char close = open == '{' ? '}' : open == '[' ? ']' : open;
  if (open != '"' && open != '\'' && open != '{' && open != '[') {
    std::size_t begin = at;
    while (at < line.size() && !is_blank(line[at])) ++at;
    return std::string(line.substr(begin, at - begin));
  }
  std::string value;
  int depth = 1;
  for (++at; at < line.size(); ++at) {
    char c = line[at];
    if (c == '\\' && at + 1 < line.size())
      c = line[++at];
    else if (c == close && --depth == 0)
      break;
    else if (c == open)
      ++depth;
    value += c;
  }
  require(at < line.size(), "{}: the value that begins with {} does not end on its line", where, open);
  ++at;
  return value;
}

}  // namespace

const Column* Frame::column(const std::string& name) const {
  for (const Column& candidate : columns) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

const std::string* Frame::layout(const std::string& name) const {
  const std::string* found = nullptr;
  for (const auto& [key, value] : info) {
    const bool same =
        key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
        });
    if (!same) continue;
    require(found == nullptr, "{}: '{}' is given twice", where, key);
    found = &value;
  }
  return found;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = skip_blanks(line, 0); at < line.size(); at = skip_blanks(line, at)) {
    std::size_t begin = at;
    while (at < line.size() && !is_blank(line[at])) ++at;
    words.push_back(line.substr(begin, at - begin));
  }
  return words;
}

double parse_real(std::string_view text, const std::string& what) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() && (*end == 'd' || *end == 'D')) {
    std::string c_spelling(text);
    c_spelling[end - text.data()] = 'e';
    return parse_real(c_spelling, what);
  }
  require(status == std::errc() && end == text.data() + text.size(), "{}: expected a number, found '{}'", what, text);
  return value;
}

long parse_integer(std::string_view text, const std::string& what) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  long value = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(status == std::errc() && end == text.data() + text.size(), "{}: expected an integer, found '{}'", what, text);
  return value;
}

std::map<std::string, std::string> parse_info(std::string_view line, const std::string& where) {
  std::map<std::string, std::string> info;
  for (std::size_t at = skip_blanks(line, 0); at < line.size(); at = skip_blanks(line, at)) {
    std::string key;
    if (line[at] == '"' || line[at] == '\'') {
      key = parse_value(line, at, where);
    } else {
      std::size_t begin = at;
      while (at < line.size() && !is_blank(line[at]) && line[at] != '=') ++at;
      key = line.substr(begin, at - begin);
    }
    std::string value = "T";
    std::size_t equals = skip_blanks(line, at);
    if (equals < line.size() && line[equals] == '=') {
      at = skip_blanks(line, equals + 1);
      value = parse_value(line, at, where);
    }
    require(info.emplace(key, value).second, "{}: '{}' is given twice", where, key);
  }
  return info;
}

std::vector<Column> parse_properties(const std::string& text, const std::string& where) {
  std::vector<std::string> fields(1);
  for (char c : text) {
    if (c == ':')
      fields.emplace_back();
    else
      fields.back() += c;
  }
  require(fields.size() % 3 == 0, "{}: expected Properties=NAME:TYPE:COLUMNS:..., found '{}'", where, text);
  std::vector<Column> columns;
  int first = 0;
  for (std::size_t i = 0; i < fields.size(); i += 3) {
    const std::string& type = fields[i + 1];
    bool known = type.size() == 1 && std::strchr("SIRL", type[0]);
    require(known, "{}: Properties: expected a type S, I, R or L of '{}', found '{}'", where, fields[i], type);
    long width = parse_integer(fields[i + 2], where + ": Properties");
    require(width >= 1 && width <= 10000, "{}: Properties: '{}' has {} columns", where, fields[i], width);
    columns.push_back({fields[i], type[0], static_cast<int>(width), first});
    first += static_cast<int>(width);
  }
  return columns;
}

namespace {

class Reader : public StructureReader {
 public:
  Reader(const std::string& path, const ReadOptions& options) : path_(path), interpret_(options) {
    require(std::filesystem::exists(path), "cannot open {}: file not found", path);
    require(!std::filesystem::is_directory(path), "cannot open {}: it is a folder", path);
    in_.open(path, std::ios::binary);
    require(in_.good(), "cannot open {}: {}", path, std::strerror(errno));
    size_ = std::max<double>(1, static_cast<double>(std::filesystem::file_size(path)));
  }

  bool next(Structure& structure) override {
    Frame frame;
    if (!read_frame(frame)) {
      require(frames_ > 0, "{}: the file has no structures", path_);
      return false;
    }
    const long place = frames_++;
    try {
      structure = interpret_(frame);
      check_structure(structure, frame.where);
    } catch (const Error& error) {
      throw EntryError(fmt::format("frame {}", place), error.what());
    }
    return true;
  }
  double progress() const override { return bytes_ / size_; }
  std::vector<Finding> report() const override { return interpret_.report(path_); }

 private:
  std::string place() const { return fmt::format("{}: frame {} (line {})", path_, frames_, line_); }

  bool get_line(std::string& text) {
    if (!std::getline(in_, text)) return false;
    ++line_;
    bytes_ += static_cast<double>(text.size() + 1);
    return true;
  }

  bool read_frame(Frame& frame) {
    std::string head;
    do {
      if (!get_line(head)) return false;
    } while (split(head).empty());
    long atoms = parse_integer(split(head).size() == 1 ? split(head)[0] : head, place() + ": number of atoms");
    require(atoms >= 1 && atoms <= 100'000'000, "{}: expected a number of atoms, found {}", place(), atoms);
    std::string comment;
    require(get_line(comment), "{}: the file ends within the frame: truncated?", place());
    frame.where = place();
    frame.info = parse_info(comment, frame.where);
    const std::string* properties = frame.layout("Properties");
    frame.columns = parse_properties(properties ? *properties : "species:S:1:pos:R:3", frame.where);
    frame.columns_in_line = frame.columns.back().first + frame.columns.back().width;
    frame.text.resize(atoms);
    for (std::string& line : frame.text) {
      require(get_line(line), "{}: expected {} atoms, the file ends before: truncated?", place(), atoms);
      frame.atoms.push_back(split(line));
      require(static_cast<int>(frame.atoms.back().size()) == frame.columns_in_line, "{}: expected {} columns, found {}",
              place(), frame.columns_in_line, frame.atoms.back().size());
    }
    return true;
  }

  std::string path_;
  std::ifstream in_;
  Interpreter interpret_;
  double size_ = 1, bytes_ = 0;
  long frames_ = 0, line_ = 0;
};

}  // namespace
}  // namespace extxyz

std::unique_ptr<StructureReader> open_extxyz(const std::string& path, const ReadOptions& options) {
  return std::make_unique<extxyz::Reader>(path, options);
}

ExtxyzWriter::ExtxyzWriter(const std::string& path)
    : target_(path), file_(std::fopen(target_.temporary().c_str(), "wb")) {
  require(file_ != nullptr, "cannot write {}: {}", path, std::strerror(errno));
}

ExtxyzWriter::~ExtxyzWriter() {
  if (file_) std::fclose(file_);
}

namespace {

/// In double quotes, as parse_value() reads it.
std::string quoted(const std::string& text, const char* what, const std::string& path) {
  require(text.find_first_of("\n\r") == text.npos,
          "{}: a {} with a line break in its name cannot be written in extended xyz: '{}'", path, what, text);
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

}  // namespace

void ExtxyzWriter::add(const Structure& structure) {
  const bool forces = !structure.forces.empty();
  auto row = [](const Vec3& v) { return fmt::format("{} {} {}", v[0], v[1], v[2]); };
  auto matrix = [&](const Mat3& m) { return fmt::format("{} {} {}", row(m[0]), row(m[1]), row(m[2])); };
  const auto& periodic = structure.periodic;
  fmt::print(file_, "{}\n", structure.size());
  if (periodic[0] || periodic[1] || periodic[2]) fmt::print(file_, "Lattice=\"{}\" ", matrix(structure.cell));
  fmt::print(file_, "Properties=species:S:1:pos:R:3{}", forces ? ":forces:R:3" : "");
  if (structure.energy) fmt::print(file_, " energy={}", *structure.energy);
  if (structure.stress) fmt::print(file_, " stress=\"{}\"", matrix(*structure.stress));
  if (structure.charge) fmt::print(file_, " charge={}", *structure.charge);
  if (structure.multiplicity) fmt::print(file_, " multiplicity={}", *structure.multiplicity);
  const auto name = [&](const char* key, const std::string& text) {
    if (!text.empty()) fmt::print(file_, " {}={}", key, quoted(text, key, target_.path()));
  };
  name("config_type", structure.config_type);
  name("group", structure.group);
  if (structure.weight != 1) fmt::print(file_, " weight={}", structure.weight);
  if (structure.step) fmt::print(file_, " step={}", *structure.step);
  name("split", structure.split);
  auto flag = [](bool value) { return value ? 'T' : 'F'; };
  fmt::print(file_, " pbc=\"{} {} {}\"\n", flag(periodic[0]), flag(periodic[1]), flag(periodic[2]));
  for (int i = 0; i < structure.size(); ++i) {
    fmt::print(file_, "{} {}", element_symbol(structure.numbers[i]), row(structure.positions[i]));
    fmt::print(file_, "{}{}\n", forces ? " " : "", forces ? row(structure.forces[i]) : "");
  }
}

void ExtxyzWriter::commit() {
  bool written = std::ferror(file_) == 0;
  written = std::fclose(std::exchange(file_, nullptr)) == 0 && written;
  require(written, "cannot write {}: is the disk full?", target_.path());
  target_.commit();
}

}  // namespace isotrope
