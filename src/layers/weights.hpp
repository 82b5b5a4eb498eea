// SPDX-License-Identifier: MIT
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "core/lane.hpp"

namespace isotrope {

/// A prepared matrix: padded, normalised, row-major, `in` rows of `out` numbers.
struct Matrix {
  std::size_t at = 0;
  int in = 0, out = 0;
};

/// How the weights that kernels read are made from the flat parameters: copies with a scale into padded places, or
/// fixed linear mixtures of paths. Its adjoint carries gradients back. Inference prepares once, training once a step.
class WeightPlan {
 public:
  std::size_t allocate(std::size_t size) {
    const std::size_t at = size_;
    size_ += size;
    return at;
  }
  /// prepared[at + r * stride + c] = scale * parameters[offset + r * parameter_stride + c], r < rows, c < columns.
  void copy(std::size_t offset, std::size_t parameter_stride, int rows, int columns, double scale, std::size_t at,
            std::size_t stride);
  /// The copies made from now on are divided by this parameter as well; `none` ends it.
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  void divide_by(std::size_t offset) { divisor_ = offset; }
  /// prepared[at + k * stride + c] = sum_p mix[k * rows + p] parameters[offset + p * columns + c], k < mixed.
  void mix(std::size_t offset, int rows, int columns, std::vector<double> mix, int mixed, std::size_t at,
           std::size_t stride);
  std::size_t size() const { return size_; }

  template <class T>
  void prepare(std::span<const double> parameters, View<T>& weights) const;
  /// Parameters are read where copies are divided by one.
  template <class T>
  void add_gradient(const View<T>& weight_gradient, std::span<const double> parameters,
                    std::span<double> gradient) const;

 private:
  struct Slot {
    std::size_t offset, parameter_stride;
    int rows, columns;
    double scale;
    std::size_t at, stride;
    std::vector<double> mix;  ///< empty: the identity
    int mixed;
    std::size_t divisor = none;  ///< offset of the parameter that the copy is divided by
  };
  std::vector<Slot> slots_;
  std::size_t size_ = 0, divisor_ = none;
};

}  // namespace isotrope
