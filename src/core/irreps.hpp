// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace isotrope {

/// `mul` copies of the irreducible representation (l, parity) of O(3); parity is +1 ("e") or -1 ("o").
struct Irrep {
  int mul = 0;
  int l = 0;
  int parity = 1;
  bool operator==(const Irrep&) const = default;
};

/// A list of blocks, written as e3nn writes it: "128x0e+64x1o". Multiplicities may differ per l.
class Irreps {
 public:
  Irreps() = default;
  explicit Irreps(std::vector<Irrep> blocks) : blocks_(std::move(blocks)) {}
  /// Throws Error quoting the text and the part that is wrong.
  static Irreps parse(std::string_view text);

  const std::vector<Irrep>& blocks() const { return blocks_; }
  int l_max() const;
  bool natural_parity() const;  ///< parity (-1)^l in every block
  std::string text() const;
  bool operator==(const Irreps&) const = default;

 private:
  std::vector<Irrep> blocks_;
};

}  // namespace isotrope
