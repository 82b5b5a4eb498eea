// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isotrope {

/// All trainable numbers of a potential in one flat array, with a table of names: optimiser, EMA, MPI, checkpoint and
/// model file see one vector. Row-major, unpadded, independent of lane width and of the precision that kernels run in.
class Parameters {
 public:
  struct Entry {
    std::string name;
    std::vector<int> shape;
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  /// Appends an array of zeros; throws if the name exists.
  std::size_t add(const std::string& name, std::vector<int> shape);
  bool contains(const std::string& name) const;
  const Entry& entry(const std::string& name) const;  ///< throws if absent
  const std::vector<Entry>& entries() const { return entries_; }

  std::span<double> operator[](const std::string& name);
  std::span<const double> operator[](const std::string& name) const;
  std::vector<double>& values() { return values_; }
  const std::vector<double>& values() const { return values_; }
  std::size_t size() const { return values_.size(); }

 private:
  std::vector<Entry> entries_;
  std::vector<double> values_;
};

}  // namespace isotrope
