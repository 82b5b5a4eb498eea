// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <vector>

namespace isotrope {

/// Counts values whose range nobody knows ahead, in bounded memory: bins of one width, [k width, (k + 1) width), which
/// doubles whenever more than `most` of them are filled.
class Histogram {
 public:
  Histogram(double width, std::size_t most) : width_(width), most_(most) {}
  void add(double value);
  std::int64_t count() const { return count_; }

  struct Bin {
    double from, to;
    std::int64_t count;
  };
  /// At most `most` bins of equal width, without gaps, over all values but the fraction `tail` at either end; the
  /// outermost bins hold what lies beyond.
  std::vector<Bin> bins(int most, double tail) const;

 private:
  std::int64_t quantile(double fraction) const;  ///< index of the bin that holds it

  double width_;
  std::size_t most_;
  std::map<std::int64_t, std::int64_t> counts_;
  std::int64_t count_ = 0;
};

}  // namespace isotrope
