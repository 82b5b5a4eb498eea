// SPDX-License-Identifier: MIT
#include "io/rejections.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace isotrope {

namespace {

constexpr std::size_t reasons_kept = 10;

/// Words with a digit, and what stands in quotes, become one sign.
std::string without_particulars(const std::string& message) {
  std::string kind, word;
  const auto finish_word = [&] {
    const bool number = std::any_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    kind += number ? "#" : word;
    word.clear();
  };
  bool quoted = false;
  for (const char c : message) {
    if (c == '\'') quoted = !quoted;
    const bool inside = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '+' || c == '-' || c == '_';
    if (quoted) continue;
    if (inside) {
      word += c;
      continue;
    }
    finish_word();
    kind += c;
  }
  finish_word();
  return kind;
}

}  // namespace

void Rejections::add(const std::string& message, const std::string& file) {
  const bool named = message.starts_with(file + ": ");
  Reason& reason = reasons_[without_particulars(named ? message.substr(file.size() + 2) : message)];
  if (reason.entries++ == 0) reason.first = message;
  ++entries_;
}

nlohmann::json Rejections::json(const std::string& log) const {
  std::vector<Reason> sorted;
  for (const auto& [kind, reason] : reasons_) sorted.push_back(reason);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Reason& a, const Reason& b) { return a.entries > b.entries; });
  nlohmann::json reasons = nlohmann::json::array();
  for (std::size_t i = 0; i < std::min(reasons_kept, sorted.size()); ++i)
    reasons.push_back({{"entries", sorted[i].entries}, {"first", sorted[i].first}});
  return {{"entries", entries_}, {"log", log}, {"reasons", reasons}};
}

}  // namespace isotrope
