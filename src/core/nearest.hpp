// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

namespace isotrope {

/// Edit distance (Levenshtein): insertions, deletions and replacements that turn one text into the other.
int edit_distance(const std::string& a, const std::string& b);

/// The known name that is closest to what somebody typed; "" where nothing is known.
std::string nearest(const std::string& typed, const std::vector<std::string>& known);

}  // namespace isotrope
