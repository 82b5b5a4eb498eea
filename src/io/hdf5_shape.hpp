// SPDX-License-Identifier: MIT
#pragma once
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "io/hdf5.hpp"

namespace isotrope::hdf5 {

/// Elements of an array.
inline std::int64_t count(const Shape& shape) {
  std::int64_t product = 1;
  for (std::int64_t extent : shape) product *= extent;
  return product;
}

inline std::string describe(const Shape& shape) {
  std::vector<std::string> extents;
  for (std::int64_t extent : shape) extents.push_back(extent == any ? "n" : std::to_string(extent));
  return fmt::format("[{}]", fmt::join(extents, ", "));
}

/// Throws where `found` is not `expected`, which may have `any` in it.
inline void require_shape(const Shape& found, const Shape& expected, const std::string& where) {
  bool fits = found.size() == expected.size();
  for (std::size_t i = 0; fits && i < found.size(); ++i) fits = expected[i] == any || expected[i] == found[i];
  require(fits, "{}: expected shape {}, found {}", where, describe(expected), describe(found));
}

}  // namespace isotrope::hdf5
