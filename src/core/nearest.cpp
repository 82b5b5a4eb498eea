// SPDX-License-Identifier: MIT
#include "core/nearest.hpp"

#include <algorithm>
#include <numeric>

namespace isotrope {

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, replaced});
    }
  }
  return row.back();
}

std::string nearest(const std::string& typed, const std::vector<std::string>& known) {
  std::string best;
  int smallest = -1;
  for (const std::string& name : known) {
    const int distance = edit_distance(typed, name);
    if (smallest < 0 || distance < smallest) smallest = distance, best = name;
  }
  return best;
}

}  // namespace isotrope
