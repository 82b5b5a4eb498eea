// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "geometry/structure.hpp"

/// Structures for tests: the same for the same seed on every machine.
namespace isotrope::testing_support {

using Generator = std::mt19937_64;

inline double uniform(Generator& generator, double low, double high) {
  return low + (high - low) * static_cast<double>(generator() >> 11) * 0x1p-53;
}

inline Vec3 random_vector(Generator& generator, double size) {
  return {uniform(generator, -size, size), uniform(generator, -size, size), uniform(generator, -size, size)};
}

inline Structure make_structure(std::vector<Vec3> positions, const Mat3& cell, std::array<bool, 3> periodic) {
  Structure s;
  s.numbers.assign(positions.size(), 1);
  s.positions = std::move(positions);
  s.cell = cell;
  s.periodic = periodic;
  return s;
}

/// Triclinic with edges between `low` and `high`, of either handedness.
inline Mat3 random_cell(Generator& generator, double low, double high) {
  while (true) {
    Mat3 cell;
    double lengths = 1;
    for (Vec3& a : cell) {
      const Vec3 direction = random_vector(generator, 1);
      const double size = uniform(generator, low, high);
      a = (size / std::sqrt(dot(direction, direction))) * direction;
      lengths *= size;
    }
    if (std::abs(determinant(cell)) > 0.2 * lengths) return cell;
  }
}

inline Structure random_structure(Generator& generator, int atoms, const Mat3& cell, std::array<bool, 3> periodic) {
  Structure s;
  s.cell = cell;
  s.periodic = periodic;
  for (int i = 0; i < atoms; ++i) {
    s.numbers.push_back(i % 2 == 0 ? 1 : 8);
    Vec3 p{};
    for (const Vec3& a : cell) p = p + uniform(generator, 0, 1) * a;
    s.positions.push_back(p);
  }
  return s;
}

}  // namespace isotrope::testing_support
