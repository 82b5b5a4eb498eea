// SPDX-License-Identifier: MIT
#include "io/json_number.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace isotrope {

static_assert(std::endian::native == std::endian::little, "eight digits are taken as a little-endian integer");

namespace {

__extension__ using Wide = unsigned __int128;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// 5^q = (power + d) 2^exponent, 0 <= d < 1, with the highest bit of `power` set.
struct Power {
  std::uint64_t power;
  int exponent;
};
constexpr int largest_q = 50;

constexpr std::array<Power, 2 * largest_q + 1> make_powers() {
  std::array<Power, 2 * largest_q + 1> powers{};
  // 5^50 < 2^117: exact in 128 bits. 1/5^q as the first 64 bits of a long division.
  Wide five = 1;
  for (int q = 0; q <= largest_q; ++q, five *= 5) {
    int bits = 0;
    while (bits < 128 && (five >> bits) != 0) ++bits;
    powers[largest_q + q] = bits <= 64 ? Power{static_cast<std::uint64_t>(five) << (64 - bits), bits - 64}
                                       : Power{static_cast<std::uint64_t>(five >> (bits - 64)), bits - 64};
    Wide rest = 1;
    std::uint64_t quotient = 0;
    int exponent = 0;
    while ((quotient >> 63) == 0) {
      quotient <<= 1;
      if (rest >= five) {
        rest -= five;
        quotient |= 1;
      }
      rest <<= 1;
      --exponent;
    }
    powers[largest_q - q] = {quotient, exponent + 1};
  }
  return powers;
}
constexpr std::array<Power, 2 * largest_q + 1> powers = make_powers();

/// digits x 10^q, where the 64 bits of the power decide the rounding; false where they do not, once in some hundred
/// numbers. `digits` is not 0. The principle, after D. Lemire, Software: Practice and Experience 51, 1700 (2021).
bool scale(std::uint64_t digits, int q, double& value) {
  if (q < -largest_q || q > largest_q) return false;
  const Power power = powers[largest_q + q];
  const int zeros = std::countl_zero(digits);
  digits <<= zeros;
  // The exact product lies between these two, in units of 2^(exponent - zeros + q).
  const Wide low = static_cast<Wide>(digits) * power.power, high = low + digits;
  const auto low_head = static_cast<std::uint64_t>(low >> 64), high_head = static_cast<std::uint64_t>(high >> 64);
  const int spare = 10 + static_cast<int>(low_head >> 63);  // bits beyond the 53 of a double
  const std::uint64_t half = std::uint64_t(1) << (spare - 1), mask = 2 * half - 1;
  const std::uint64_t rounded = (low_head + half) >> spare;
  const bool tie = ((low_head + half) & mask) == 0;
  if (tie || high < low || low_head + half < half || rounded != (high_head + half) >> spare) return false;
  // |q| <= 50 and 64 bits of digits: neither subnormal nor infinite. rounded may be 2^53: the sum carries over.
  const auto exponent = static_cast<std::uint64_t>(power.exponent - zeros + q + 64 + spare + 52 + 1023);
  value = std::bit_cast<double>((exponent << 52) + (rounded - (std::uint64_t(1) << 52)));
  return true;
}

/// Up to eight digits at `at`: how many, and their value. Without branches: numbers of a file differ in length, and a
/// wrong guess costs as much as the rest.
struct Eight {
  std::uint64_t value;
  int count;
};
Eight take_eight(const char* at) {
  std::uint64_t text;
  std::memcpy(&text, at, 8);
  text ^= 0x3030303030303030;  // digits become 0 to 9
  const std::uint64_t others = (text | (text + 0x7676767676767676)) & 0x8080808080808080;
  const int count = std::popcount((others - 1) & ~others) / 8;  // trailing zeros; 8 where all are digits
  const int half = 4 * (8 - count);
  text = text << half << half;                                // zeros in front
  text = (text & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;             // pairs: 10 a + b
  text = (text & 0x00ff00ff00ff00ff) * 6553601 >> 16;         // fours
  text = (text & 0x0000ffff0000ffff) * 42949672960001 >> 32;  // eight
  return {text, count};
}

/// Digits that follow each other, as one number; false where they do not fit in it.
class Digits {
 public:
  /// All that begin at `at`; what follows them. For the few in front of the point.
  const char* take_few(const char* at) {
    const char* const begin = at;
    for (; is_digit(*at); ++at) value_ = value_ * 10 + static_cast<std::uint64_t>(*at - '0');
    fit_ = at - begin <= 19;  // 10^19 < 2^64
    return at;
  }
  /// The same for the many of a fraction.
  const char* take(const char* at) {
    const Eight first = append(take_eight(at));
    if (first.count < 8) return at + first.count;
    const Eight second = append(take_eight(at + 8));
    // Taken in any case: whether there are more than 16 digits is hard to guess.
    Eight third = take_eight(at + 16);
    third = append(second.count == 8 ? third : Eight{0, 0});
    at += 8 + second.count + third.count;
    while (third.count == 8) {
      third = append(take_eight(at));
      at += third.count;
    }
    return at;
  }
  std::uint64_t value() const { return value_; }
  bool fit() const { return fit_; }

 private:
  Eight append(Eight digits) {
    static constexpr std::uint64_t tens[9] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
    const bool large = __builtin_mul_overflow(value_, tens[digits.count], &value_);
    fit_ = fit_ && !(large | __builtin_add_overflow(value_, digits.value, &value_));
    return digits;
  }
  std::uint64_t value_ = 0;
  bool fit_ = true;
};

/// Exponent "e-05"; nullptr where digits are missing. Saturates.
const char* take_exponent(const char* at, int& exponent) {
  const bool negative = *++at == '-';
  if (*at == '-' || *at == '+') ++at;
  if (!is_digit(*at)) return nullptr;
  int size = 0;
  for (; is_digit(*at); ++at)
    if (size < 100'000) size = 10 * size + (*at - '0');
  exponent += negative ? -size : size;
  return at;
}

}  // namespace

const char* parse_json_number(const char* const begin, double& value) {
  const bool negative = *begin == '-';
  const char* const first = begin + negative;
  Digits digits;
  const char* at = digits.take_few(first);
  if (at == first || (*first == '0' && at > first + 1)) return nullptr;
  int exponent = 0;
  if (*at == '.') {
    const char* const fraction = at + 1;
    at = digits.take(fraction);
    if (at == fraction) return nullptr;
    exponent = static_cast<int>(std::max<std::ptrdiff_t>(fraction - at, -1'000'000));
  }
  if ((*at | 0x20) == 'e' && !(at = take_exponent(at, exponent))) return nullptr;
  if (!digits.fit() || digits.value() == 0 || !scale(digits.value(), exponent, value)) {
    value = digits.fit() && digits.value() == 0 ? 0 : std::abs(std::strtod(begin, nullptr));
  }
  value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) | std::uint64_t(negative) << 63);
  return at;
}

}  // namespace isotrope
