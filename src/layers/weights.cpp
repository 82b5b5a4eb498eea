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
      for (int c = 0; c < s.columns; ++c) {
        double value = 0;
        if (s.mix.empty()) {
          value = parameters[s.offset + k * s.parameter_stride + c];
        } else {
          for (int p = 0; p < s.rows; ++p)
            value += s.mix[k * s.rows + p] * parameters[s.offset + p * s.parameter_stride + c];
        }
        host(s.at + k * s.stride + c) = static_cast<T>(scale * value);
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
    const double divisor = s.divisor == none ? 1 : parameters[s.divisor];
    for (int k = 0; k < s.mixed; ++k) {
      for (int c = 0; c < s.columns; ++c) {
        const double g = s.scale / divisor * static_cast<double>(host(s.at + k * s.stride + c));
        if (s.mix.empty()) {
          const std::size_t at = s.offset + k * s.parameter_stride + c;
          gradient[at] += g;
          if (s.divisor != none) gradient[s.divisor] -= g * parameters[at] / divisor;
        } else {
          for (int p = 0; p < s.rows; ++p) gradient[s.offset + p * s.parameter_stride + c] += s.mix[k * s.rows + p] * g;
        }
      }
    }
  }
}

template void WeightPlan::prepare(std::span<const double>, View<float>&) const;
template void WeightPlan::prepare(std::span<const double>, View<double>&) const;
template void WeightPlan::add_gradient(const View<float>&, std::span<const double>, std::span<double>) const;
template void WeightPlan::add_gradient(const View<double>&, std::span<const double>, std::span<double>) const;

}  // namespace isotrope
