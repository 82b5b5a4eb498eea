// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <random>
#include <vector>

namespace isotrope {

/// What Python's `random` module gives after random.seed(integer): MT19937 seeded by init_by_array (Matsumoto and
/// Nishimura 2002), whole numbers below a bound by rejection of bits, shuffle by Fisher and Yates from the end. For
/// splits that were drawn in Python.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);
  /// random.getrandbits(count), count 1 to 64.
  std::uint64_t bits(int count);
  /// random.randrange(n), n above 0.
  std::uint64_t below(std::uint64_t n);
  /// random.shuffle(values)
  void shuffle(std::vector<int>& values);

 private:
  std::mt19937 generator_;
};

}  // namespace isotrope
