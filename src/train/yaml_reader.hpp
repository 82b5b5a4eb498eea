// SPDX-License-Identifier: MIT
#pragma once
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace isotrope {

/// One section (a map) of a YAML file, read strictly: what is asked for is what is known, and finish() refuses the rest
/// by name, file and line, with the nearest known key. Wrong types are refused likewise.
class YamlSection {
 public:
  /// The whole file; throws where it cannot be read, is no YAML, or is not a map.
  static YamlSection from_file(const std::string& file);
  YamlSection(YAML::Node node, std::string file, std::string path);

  bool has(const std::string& key);
  /// A value of type bool, int, std::uint64_t, double, std::string or a vector of these (a single value is then a list
  /// of one).
  template <class T>
  T get(const std::string& key);
  template <class T>
  T get(const std::string& key, T fallback) {
    return has(key) ? get<T>(key) : fallback;
  }
  /// One of several words.
  std::string choice(const std::string& key, const std::vector<std::string>& allowed);
  /// A sub-section; empty where the key is absent.
  YamlSection section(const std::string& key);
  /// The items of a list, or the value itself where it is no list: each a section, or a text().
  std::vector<YamlSection> items(const std::string& key);
  std::optional<std::string> text() const;  ///< where this is no map but a single value
  /// The value as JSON: numbers, booleans and texts as they are written, lists and maps.
  nlohmann::json json(const std::string& key);
  std::vector<std::string> keys() const;
  bool is_map(const std::string& key);
  bool is_number(const std::string& key);

  /// Throws for a key that nobody asked for.
  void finish() const;
  /// "config.yaml:12: loss.forces: text"
  template <class... Args>
  [[noreturn]] void refuse(const std::string& key, fmt::format_string<Args...> text, Args&&... args) const {
    throw Error(fmt::format("{}: {}: {}", place(key), name_of(key), fmt::format(text, std::forward<Args>(args)...)));
  }

 private:
  std::string place(const std::string& key) const;    ///< "file:line"
  std::string name_of(const std::string& key) const;  ///< "section.key"
  YAML::Node at(const std::string& key);              ///< throws where absent

  YAML::Node node_;
  std::string file_;
  std::string path_;                ///< "" for the whole file
  std::vector<std::string> known_;  ///< every key that was asked for
};

}  // namespace isotrope
