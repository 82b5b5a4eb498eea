// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <random>
#include <string>

namespace isotrope::testing {

/// Replaces, removes and repeats some bytes.
inline std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (std::size_t edits = 1 + below(4); edits > 0 && !text.empty(); --edits) {
    const std::size_t at = below(text.size()), length = std::min(text.size() - at, 1 + below(16));
    switch (below(4)) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      default:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
    }
  }
  return text;
}

}  // namespace isotrope::testing
