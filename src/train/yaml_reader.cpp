// SPDX-License-Identifier: MIT
#include "train/yaml_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <set>

#include "core/nearest.hpp"

namespace isotrope {
namespace {

template <class T>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int>) return "an integer";
  if constexpr (std::is_same_v<T, std::uint64_t>) return "an integer of 0 or more";
  if constexpr (std::is_same_v<T, double>) return "a number";
  return "a text";
}

/// A scalar that has quotes in the file carries the tag "!": it is a text, never a number.
bool quoted(const YAML::Node& node) {
  return node.Tag() == "!";
}

template <class T>
bool convert(const YAML::Node& node, T& value) {
  if (!node.IsScalar()) return false;
  if constexpr (!std::is_same_v<T, std::string>)
    if (quoted(node)) return false;
  if constexpr (std::is_same_v<T, std::uint64_t>)
    if (node.Scalar().starts_with("-")) return false;
  return YAML::convert<T>::decode(node, value);
}

nlohmann::json to_json(const YAML::Node& node) {
  if (node.IsNull()) return nullptr;
  if (node.IsSequence()) {
    auto list = nlohmann::json::array();
    for (const auto& item : node) list.push_back(to_json(item));
    return list;
  }
  if (node.IsMap()) {
    auto map = nlohmann::json::object();
    for (const auto& item : node) map[item.first.Scalar()] = to_json(item.second);
    return map;
  }
  std::int64_t integer;
  double number;
  bool truth;
  if (convert(node, integer)) return integer;
  if (convert(node, number)) return number;
  if (convert(node, truth)) return truth;
  return node.Scalar();
}

}  // namespace

YamlSection YamlSection::from_file(const std::string& file) {
  require(std::ifstream(file).good(), "cannot read the configuration '{}': no such file", file);
  try {
    YAML::Node node = YAML::LoadFile(file);
    require(node.IsMap(), "{}: expected sections like 'data:' and 'model:', found {}", file,
            node.IsNull() ? "an empty file" : "something else");
    return {node, file, ""};
  } catch (const YAML::ParserException& error) {
    fail("{}:{}: not valid YAML: {}", file, error.mark.line + 1, error.msg);
  }
}

YamlSection::YamlSection(YAML::Node node, std::string file, std::string path)
    : node_(std::move(node)), file_(std::move(file)), path_(std::move(path)) {
  std::set<std::string> seen;
  if (!node_.IsMap()) return;
  for (const auto& item : node_) {
    const std::string key = item.first.Scalar();
    require(seen.insert(key).second, "{}:{}: {}: the key is there twice, remove one", file_, item.first.Mark().line + 1,
            name_of(key));
  }
}

bool YamlSection::has(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return node_.IsMap() && node_[key].IsDefined() && !node_[key].IsNull();
}

YAML::Node YamlSection::at(const std::string& key) {
  if (!has(key)) fail("{}: {} is missing", place(""), name_of(key));
  return node_[key];
}

template <class T>
T YamlSection::get(const std::string& key) {
  YAML::Node node = at(key);
  T value{};
  if (!convert(node, value))
    refuse(key, "expected {}, found {}", type_name<T>(),
           node.IsScalar() ? "'" + node.Scalar() + "'"
           : node.IsMap()  ? "a section"
                           : "a list");
  return value;
}

template <class T>
static std::vector<T> get_list(YamlSection& section, const YAML::Node& node, const std::string& key) {
  if (!node.IsSequence()) return {section.get<T>(key)};
  std::vector<T> list;
  for (const auto& item : node) {
    T value{};
    if (!convert(item, value))
      section.refuse(key, "expected a list whose items are each {}, found '{}'", type_name<T>(),
                     item.IsScalar() ? item.Scalar() : "a list or section");
    list.push_back(value);
  }
  return list;
}

template <>
std::vector<std::string> YamlSection::get(const std::string& key) {
  return get_list<std::string>(*this, at(key), key);
}
template <>
std::vector<double> YamlSection::get(const std::string& key) {
  return get_list<double>(*this, at(key), key);
}
template bool YamlSection::get(const std::string&);
template int YamlSection::get(const std::string&);
template std::uint64_t YamlSection::get(const std::string&);
template double YamlSection::get(const std::string&);
template std::string YamlSection::get(const std::string&);

std::string YamlSection::choice(const std::string& key, const std::vector<std::string>& allowed) {
  const auto word = get<std::string>(key);
  if (std::find(allowed.begin(), allowed.end(), word) == allowed.end())
    refuse(key, "expected one of {}, found '{}'; did you mean '{}'?", fmt::join(allowed, ", "), word,
           nearest(word, allowed));
  return word;
}

YamlSection YamlSection::section(const std::string& key) {
  if (!has(key)) return {YAML::Node(YAML::NodeType::Map), file_, name_of(key)};
  if (!node_[key].IsMap()) refuse(key, "expected a section of 'key: value' lines");
  return {node_[key], file_, name_of(key)};
}

std::vector<YamlSection> YamlSection::items(const std::string& key) {
  const YAML::Node value = at(key);
  if (!value.IsSequence()) return {{value, file_, name_of(key)}};
  std::vector<YamlSection> items;
  for (const auto& item : value) items.emplace_back(item, file_, name_of(key));
  return items;
}

std::optional<std::string> YamlSection::text() const {
  return node_.IsScalar() ? std::optional(node_.Scalar()) : std::nullopt;
}

nlohmann::json YamlSection::json(const std::string& key) {
  return to_json(at(key));
}

std::vector<std::string> YamlSection::keys() const {
  std::vector<std::string> names;
  if (node_.IsMap())
    for (const auto& item : node_) names.push_back(item.first.Scalar());
  return names;
}

bool YamlSection::is_map(const std::string& key) {
  return has(key) && node_[key].IsMap();
}

bool YamlSection::is_number(const std::string& key) {
  double value;
  return has(key) && convert(node_[key], value);
}

void YamlSection::finish() const {
  for (const std::string& key : keys()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string hint = nearest(key, known_);
    fail("{}: unknown key '{}'{}", place(key), name_of(key), hint.empty() ? "" : "; did you mean '" + hint + "'?");
  }
}

std::string YamlSection::place(const std::string& key) const {
  int line = node_.Mark().line;
  if (node_.IsMap())
    for (const auto& item : node_)
      if (item.first.Scalar() == key) line = item.first.Mark().line;
  return line < 0 ? file_ : fmt::format("{}:{}", file_, line + 1);
}

std::string YamlSection::name_of(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

}  // namespace isotrope
