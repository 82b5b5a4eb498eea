// SPDX-License-Identifier: MIT
#include "layers/radial_table.hpp"

namespace isotrope {

template <class T>
RadialTable<T>::RadialTable(double begin, double cutoff, int knots, int weights, const std::vector<double>& values,
                            const std::vector<double>& slopes)
    : knots_(knots), weights_(weights), begin_(begin), spacing_((cutoff - begin) / (knots - 1)) {
  std::vector<T> rows(2 * values.size());
  for (int k = 0; k < knots; ++k) {
    for (int w = 0; w < weights; ++w) {
      const std::size_t from = static_cast<std::size_t>(k) * weights + w;
      rows[2UL * k * weights + w] = static_cast<T>(values[from]);
      rows[(2UL * k + 1) * weights + w] = static_cast<T>(spacing_ * slopes[from]);
    }
  }
  rows_ = to_device("isotrope::radial_table", rows);
}

template class RadialTable<float>;
template class RadialTable<double>;

}  // namespace isotrope
