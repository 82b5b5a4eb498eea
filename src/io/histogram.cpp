// SPDX-License-Identifier: MIT
#include "io/histogram.hpp"

#include <algorithm>
#include <cmath>

namespace isotrope {

void Histogram::add(double value) {
  // Beyond 2^62 widths there are no integers: such a value counts at the end.
  const double place = std::clamp(std::floor(value / width_), -0x1p62, 0x1p62);
  ++counts_[static_cast<std::int64_t>(place)];
  ++count_;
  while (counts_.size() > most_) {
    std::map<std::int64_t, std::int64_t> merged;
    for (const auto& [bin, count] : counts_) merged[bin >> 1] += count;
    counts_ = std::move(merged);
    width_ *= 2;
  }
}

std::int64_t Histogram::quantile(double fraction) const {
  const double wanted = fraction * static_cast<double>(count_);
  double before = 0;
  for (const auto& [bin, count] : counts_) {
    before += static_cast<double>(count);
    if (before > wanted || before == static_cast<double>(count_)) return bin;
  }
  return 0;
}

std::vector<Histogram::Bin> Histogram::bins(int most, double tail) const {
  if (count_ == 0) return {};
  const std::int64_t low = quantile(tail), high = quantile(1 - tail);
  const std::int64_t step = (high - low) / most + 1, bins = (high - low) / step + 1;
  std::vector<Bin> result;
  for (std::int64_t k = 0; k < bins; ++k) {
    const auto from = static_cast<double>(low + k * step), to = static_cast<double>(low + (k + 1) * step);
    result.push_back({width_ * from, width_ * to, 0});
  }
  for (const auto& [bin, count] : counts_)
    result[std::clamp<std::int64_t>((bin - low) / step, 0, bins - 1)].count += count;
  return result;
}

}  // namespace isotrope
