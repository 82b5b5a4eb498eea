// SPDX-License-Identifier: MIT
#include "core/python_random.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace isotrope {

namespace {

/// Gives std::mt19937 its whole state, as init_by_array makes it of a key.
struct StateOfKey {
  using result_type = std::uint32_t;
  std::vector<std::uint32_t> key;

  template <class Iterator>
  void generate(Iterator begin, Iterator end) const {
    constexpr std::size_t n = std::mt19937::state_size;
    std::array<std::uint32_t, n> state;
    state[0] = 19650218u;
    for (std::size_t i = 1; i < n; ++i) state[i] = 1812433253u * mixed(state[i - 1]) + static_cast<std::uint32_t>(i);
    std::size_t i = 1, j = 0;
    const auto advance = [&] {
      if (++i == n) {
        state[0] = state[n - 1];
        i = 1;
      }
    };
    for (std::size_t k = std::max(n, key.size()); k > 0; --k) {
      state[i] = (state[i] ^ (mixed(state[i - 1]) * 1664525u)) + key[j] + static_cast<std::uint32_t>(j);
      advance();
      j = (j + 1) % key.size();
    }
    for (std::size_t k = n - 1; k > 0; --k) {
      state[i] = (state[i] ^ (mixed(state[i - 1]) * 1566083941u)) - static_cast<std::uint32_t>(i);
      advance();
    }
    state[0] = 0x80000000u;
    std::copy_n(state.begin(), std::min<std::size_t>(n, static_cast<std::size_t>(end - begin)), begin);
  }

 private:
  static std::uint32_t mixed(std::uint32_t x) { return x ^ (x >> 30); }
};

}  // namespace

PythonRandom::PythonRandom(std::uint64_t seed) {
  StateOfKey key{{static_cast<std::uint32_t>(seed)}};
  if (seed >> 32) key.key.push_back(static_cast<std::uint32_t>(seed >> 32));
  generator_.seed(key);
}

std::uint64_t PythonRandom::bits(int count) {
  const auto word = [&](int wanted) { return static_cast<std::uint64_t>(generator_()) >> (32 - wanted); };
  if (count <= 32) return word(count);
  const std::uint64_t low = word(32);
  return low | word(count - 32) << 32;
}

std::uint64_t PythonRandom::below(std::uint64_t n) {
  const int count = static_cast<int>(std::bit_width(n));
  std::uint64_t value;
  do value = bits(count);
  while (value >= n);
  return value;
}

void PythonRandom::shuffle(std::vector<int>& values) {
  for (std::size_t i = values.size(); i-- > 1;) std::swap(values[i], values[below(i + 1)]);
}

}  // namespace isotrope
