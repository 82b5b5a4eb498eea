// SPDX-License-Identifier: MIT
#include "core/irreps.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"

namespace isotrope {
namespace {

Irrep parse_block(std::string_view part, std::string_view whole) {
  Irrep block;
  const char* end = part.data() + part.size();
  const auto mul = std::from_chars(part.data(), end, block.mul);
  bool good = mul.ec == std::errc() && block.mul > 0 && mul.ptr < end && *mul.ptr == 'x';
  if (good) {
    const auto l = std::from_chars(mul.ptr + 1, end, block.l);
    good = l.ec == std::errc() && block.l >= 0 && l.ptr + 1 == end && (*l.ptr == 'e' || *l.ptr == 'o');
    if (good) block.parity = *l.ptr == 'e' ? 1 : -1;
  }
  require(good, "irreps '{}': expected blocks such as 64x0e or 32x1o joined by '+', found '{}'", whole, part);
  return block;
}

}  // namespace

Irreps Irreps::parse(std::string_view text) {
  std::vector<Irrep> blocks;
  std::string compact;
  std::copy_if(text.begin(), text.end(), std::back_inserter(compact), [](char c) { return c != ' '; });
  std::string_view rest = compact;
  while (true) {
    const auto plus = rest.find('+');
    blocks.push_back(parse_block(rest.substr(0, plus), text));
    if (plus == std::string_view::npos) break;
    rest.remove_prefix(plus + 1);
  }
  return Irreps(std::move(blocks));
}

int Irreps::l_max() const {
  int l = -1;
  for (const Irrep& block : blocks_) l = std::max(l, block.l);
  return l;
}

bool Irreps::natural_parity() const {
  return std::all_of(blocks_.begin(), blocks_.end(), [](const Irrep& b) { return b.parity == (b.l % 2 ? -1 : 1); });
}

std::string Irreps::text() const {
  std::string text;
  for (const Irrep& b : blocks_) {
    if (!text.empty()) text += '+';
    text += fmt::format("{}x{}{}", b.mul, b.l, b.parity > 0 ? 'e' : 'o');
  }
  return text;
}

}  // namespace isotrope
