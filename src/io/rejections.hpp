// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace isotrope {

/// Why entries were rejected, for the census: messages that differ in names and numbers only count as one reason.
class Rejections {
 public:
  /// `message` names the file and the entry, as those of EntryError do.
  void add(const std::string& message, const std::string& file);
  /// {"entries", "log", "reasons": [{"entries", "first"}]}: the most frequent reasons first, ten at most.
  nlohmann::json json(const std::string& log) const;

 private:
  struct Reason {
    std::int64_t entries = 0;
    std::string first;  ///< message
  };
  std::map<std::string, Reason> reasons_;
  std::int64_t entries_ = 0;
};

}  // namespace isotrope
