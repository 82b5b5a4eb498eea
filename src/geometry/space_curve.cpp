// SPDX-License-Identifier: MIT
#include "geometry/space_curve.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace isotrope {
namespace {

constexpr int bits = 10;  // of a coordinate: of a box of 100,000 atoms a place is then 0.1 Å
using Place = std::array<std::uint32_t, 3>;

/// The curve passes a cube's eight parts in the order of a Gray code, and each part turned or mirrored so that it
/// enters where the part before left: from the largest part to the smallest, that is undone.
void undo_turns(Place& x) {
  for (std::uint32_t part = 1u << (bits - 1); part > 1; part >>= 1) {
    const std::uint32_t below = part - 1;
    for (std::uint32_t& coordinate : x) {
      if (coordinate & part) {
        x[0] ^= below;
      } else {
        const std::uint32_t differing = (x[0] ^ coordinate) & below;
        x[0] ^= differing;
        coordinate ^= differing;
      }
    }
  }
}

/// From the Gray code of three coordinates to plain numbers, whose bits, in turns, are the place along the curve.
void decode(Place& x) {
  x[1] ^= x[0];
  x[2] ^= x[1];
  std::uint32_t carried = 0;
  for (std::uint32_t part = 1u << (bits - 1); part > 1; part >>= 1) {
    if (x[2] & part) carried ^= part - 1;
  }
  for (std::uint32_t& coordinate : x) coordinate ^= carried;
}

std::uint64_t along_curve(Place x) {
  undo_turns(x);
  decode(x);
  std::uint64_t along = 0;
  for (int bit = bits - 1; bit >= 0; --bit) {
    for (const std::uint32_t coordinate : x) along = along << 1 | (coordinate >> bit & 1);
  }
  return along;
}

}  // namespace

std::vector<int> order_along_curve(std::span<const Vec3> positions) {
  constexpr double far = std::numeric_limits<double>::max();
  Vec3 low{far, far, far}, high{-far, -far, -far};
  for (const Vec3& x : positions) {
    for (int k = 0; k < 3; ++k) {
      low[k] = std::min(low[k], x[k]);
      high[k] = std::max(high[k], x[k]);
    }
  }
  double edge = 0;
  for (int k = 0; k < 3; ++k) edge = std::max(edge, high[k] - low[k]);
  constexpr double most = (1 << bits) - 1;
  const double scale = edge > 0 ? most / edge : 0;

  std::vector<std::uint64_t> keys(positions.size());  // place along the curve, then index
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Place place;
    for (int k = 0; k < 3; ++k) {
      const double at = (positions[i][k] - low[k]) * scale;
      place[k] = at > 0 ? static_cast<std::uint32_t>(std::min(at, most)) : 0;  // also where it is not a number
    }
    keys[i] = along_curve(place) << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int> order(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) order[i] = static_cast<int>(keys[i] & 0xffffffffu);
  return order;
}

}  // namespace isotrope
