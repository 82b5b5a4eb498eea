// SPDX-License-Identifier: MIT
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace isotrope {

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every platform, which std::shuffle does not promise.
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform on 0 ... n - 1, without bias.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t rejected = (0 - n) % n;
    std::uint64_t value;
    do value = (*this)();
    while (value < rejected);
    return value % n;
  }
  /// Uniform on (0, 1).
  double uniform() { return (static_cast<double>((*this)() >> 11) + 0.5) * 0x1.0p-53; }
  /// Standard normal (Box and Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

/// Independent numbers for every stream of a seed.
inline SplitMix stream_of(std::uint64_t seed, std::uint64_t stream) {
  return SplitMix(SplitMix(seed)() + stream * 0xd1342543de82ef95ULL);
}

/// Fisher and Yates.
template <class T>
void shuffle(std::span<T> values, SplitMix& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
}

/// A permutation of 0 ... n - 1 that depends on seed and stream only.
inline std::vector<int> shuffled(int n, std::uint64_t seed, std::uint64_t stream) {
  SplitMix random = stream_of(seed, stream);
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  shuffle(std::span<int>(order), random);
  return order;
}

}  // namespace isotrope
