// SPDX-License-Identifier: MIT
#pragma once
#include <map>
#include <string>

#include "core/hash.hpp"

/// What the reader and the writer of data set files share (docs/dataset-format.md).
namespace isotrope::dataset {

inline constexpr const char* format_name = "isotrope-dataset";
inline constexpr const char* units =
    R"({"length":"angstrom","energy":"eV","forces":"eV/angstrom","stress":"eV/angstrom^3, (1/V) dE/d(strain), positive under tension","charge":"e"})";

/// The hash of the whole from those of its members.
inline std::string combined_hash(const std::map<std::string, ContentHash>& members) {
  ContentHash hash;
  for (const auto& [name, member] : members) {
    hash.add(name);
    hash.add(member.digest());
  }
  return hash.digest();
}

}  // namespace isotrope::dataset
