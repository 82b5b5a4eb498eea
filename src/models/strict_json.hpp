// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/nearest.hpp"

namespace isotrope {

/// A JSON object whose keys are all known: an unknown one is an error that names the nearest known key.
class StrictJson {
 public:
  StrictJson(const nlohmann::json& object, std::string where, const std::vector<std::string>& known)
      : object_(object), where_(std::move(where)) {
    require(object.is_object(), "{}: expected key-value pairs, found {}", where_, object.type_name());
    for (const auto& [key, value] : object.items()) {
      require(std::find(known.begin(), known.end(), key) != known.end(), "{}: unknown key '{}'; did you mean '{}'?",
              where_, key, nearest(key, known));
    }
  }

  bool contains(const char* key) const { return object_.contains(key); }
  const nlohmann::json& at(const char* key) const {
    require(object_.contains(key), "{}: key '{}' is missing", where_, key);
    return object_.at(key);
  }
  template <class T>
  T get(const char* key) const {
    try {
      return at(key).get<T>();
    } catch (const nlohmann::json::exception&) {
      fail("{}: '{}' has the wrong type: {}", where_, key, object_.at(key).dump());
    }
  }
  template <class T>
  T get(const char* key, const T& otherwise) const {
    return contains(key) ? get<T>(key) : otherwise;
  }
  int integer(const char* key, int lowest, int highest) const {
    require(at(key).is_number_integer(), "{}: '{}' must be a whole number, found {}", where_, key, at(key).dump());
    const int value = at(key).get<int>();
    require(value >= lowest && value <= highest, "{}: '{}' must be between {} and {}, found {}", where_, key, lowest,
            highest, value);
    return value;
  }
  const std::string& where() const { return where_; }

 private:
  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace isotrope
