// SPDX-License-Identifier: MIT
#include "layers/weights.hpp"

namespace isotrope {

void WeightPlan::copy(std::size_t offset, std::size_t parameter_stride, int rows, int columns, double scale,
                      std::size_t at, std::size_t stride) {
  slots_.push_back({offset, parameter_stride, rows, columns, scale, at, stride, {}, rows, divisor_});
}

void WeightPlan::mix(std::size_t offset, int rows, int columns, std::vector<double> mix, int mixed, std::size_t at,
                     std::size_t stride) {
  slots_.push_back({offset, static_cast<std::size_t>(columns), rows, columns, 1.0, at, stride, std::move(mix), mixed});
}

template <class T>
void WeightPlan::prepare(std::span<const double> parameters, View<T>& weights) const {
  if (weights.extent(0) != size_) weights = View<T>("isotrope::weights", size_);
  auto host = Kokkos::create_mirror_view(weights);
  for (const Slot& s : slots_) {
    const double scale = s.divisor == none ? s.scale : s.scale / parameters[s.divisor];
    for (int k = 0; k < s.mixed; ++k) {
      T* to = host.data() + s.at + k * s.stride;
      if (s.mix.empty()) {
        const double* from = parameters.data() + s.offset + k * s.parameter_stride;
        for (int c = 0; c < s.columns; ++c) to[c] = static_cast<T>(scale * from[c]);
        continue;
      }
      for (int c = 0; c < s.columns; ++c) {
        double value = 0;
        for (int p = 0; p < s.rows; ++p)
          value += s.mix[k * s.rows + p] * parameters[s.offset + p * s.parameter_stride + c];
        to[c] = static_cast<T>(scale * value);
      }
    }
  }
  Kokkos::deep_copy(weights, host);
}

template <class T>
void WeightPlan::add_gradient(const View<T>& weight_gradient, std::span<const double> parameters,
                              std::span<double> gradient) const {
  auto host = Kokkos::create_mirror_view(weight_gradient);
  Kokkos::deep_copy(host, weight_gradient);
  for (const Slot& s : slots_) {
    const double divisor = s.divisor == none ? 1 : parameters[s.divisor], scale = s.scale / divisor;
    for (int k = 0; k < s.mixed; ++k) {
      const T* from = host.data() + s.at + k * s.stride;
      if (s.mix.empty()) {
        const std::size_t row = s.offset + k * s.parameter_stride;
        double* to = gradient.data() + row;
        for (int c = 0; c < s.columns; ++c) to[c] += scale * static_cast<double>(from[c]);
        for (int c = 0; c < s.columns && s.divisor != none; ++c)
          gradient[s.divisor] -= scale * static_cast<double>(from[c]) * parameters[row + c] / divisor;
        continue;
      }
      for (int c = 0; c < s.columns; ++c) {
        const double g = scale * static_cast<double>(from[c]);
        for (int p = 0; p < s.rows; ++p) gradient[s.offset + p * s.parameter_stride + c] += s.mix[k * s.rows + p] * g;
      }
    }
  }
}

template void WeightPlan::prepare(std::span<const double>, View<float>&) const;
template void WeightPlan::prepare(std::span<const double>, View<double>&) const;
template void WeightPlan::add_gradient(const View<float>&, std::span<const double>, std::span<double>) const;
template void WeightPlan::add_gradient(const View<double>&, std::span<const double>, std::span<double>) const;

}  // namespace isotrope
