// SPDX-License-Identifier: MIT
#include "io/json_number.hpp"

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

/// 5^q 2^q = (power + d) 2^exponent, 0 <= d < 1, with the highest bit of `power` set.
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
    const auto head =
        bits <= 64 ? static_cast<std::uint64_t>(five) << (64 - bits) : static_cast<std::uint64_t>(five >> (bits - 64));
    powers[largest_q + q] = {head, bits - 64 + q};
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
    powers[largest_q - q] = {quotient, exponent + 1 - q};
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
  // The exact product lies between head and head + 1, in units of 2^(exponent - zeros + 64).
  const auto head = static_cast<std::uint64_t>((static_cast<Wide>(digits << zeros) * power.power) >> 64);
  const int spare = 10 + static_cast<int>(head >> 63);  // bits beyond the 53 of a double
  const std::uint64_t half = std::uint64_t(1) << (spare - 1), rest = (head + half + 1) & (2 * half - 1);
  if (rest <= 1) return false;  // half way between two doubles, or within one unit of it
  const std::uint64_t rounded = (head >> spare) + (head >> (spare - 1) & 1);
  // |q| <= 50 and 64 bits of digits: neither subnormal nor infinite. rounded may be 2^53: the sum carries over.
  const auto exponent = static_cast<std::uint64_t>(power.exponent - zeros + spare + (64 + 52 + 1023));
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

/// Digits of a fraction, 24 at most, appended to `digits`; how many.
int take_fraction(const char* at, std::uint64_t& digits) {
  static constexpr std::uint64_t tens[9] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
  const Eight first = take_eight(at);
  digits = digits * tens[first.count] + first.value;
  if (first.count < 8) return first.count;
  const Eight second = take_eight(at + 8);
  digits = digits * tens[second.count] + second.value;
  // Taken in any case: whether there are more than 16 digits is hard to guess.
  const Eight third = take_eight(at + 16);
  const bool more = second.count == 8;
  digits = digits * tens[more ? third.count : 0] + (more ? third.value : 0);
  return 8 + second.count + (more ? third.count : 0);
}

/// Of a number that begins with "0.".
int zeros_in_front(const char* at) {
  int zeros = 0;
  for (; *at == '0' || *at == '.'; ++at) zeros += *at == '0';
  return zeros;
}

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
  const char* at = first;
  std::uint64_t digits = 0;
  for (; is_digit(*at); ++at) digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
  if (at == first || (*first == '0' && at > first + 1)) return nullptr;
  std::ptrdiff_t count = at - first;
  int exponent = 0;
  if (*at == '.') {
    const int taken = take_fraction(++at, digits);
    if (taken == 0) return nullptr;
    at += taken;
    exponent = -taken;
    count += taken;
    if (taken == 24)
      for (; is_digit(*at); ++at) ++count;  // of no use, the C library takes them again
  }
  // 10^19 < 2^64
  const bool fits = count <= 19 || (count <= 25 && count - zeros_in_front(first) <= 19);
  if ((*at | 0x20) == 'e' && !(at = take_exponent(at, exponent))) return nullptr;
  if (!fits || digits == 0 || !scale(digits, exponent, value))
    value = fits && digits == 0 ? 0 : std::abs(std::strtod(begin, nullptr));
  value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) | std::uint64_t(negative) << 63);
  return at;
}

}  // namespace isotrope
