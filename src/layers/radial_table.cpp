// SPDX-License-Identifier: MIT
#include "layers/radial_table.hpp"

#include "core/loops.hpp"

namespace isotrope {
namespace {

/// The interval of an edge and the weights of its four numbers, for the value (or the slope, times the spacing).
template <class T>
struct Hermite {
  const T* rows;
  T value[4], slope[4];
};

template <class T>
struct Locate {
  int knots, weights;
  double begin, spacing;
  const double* r;
  const T* rows;

  KOKKOS_INLINE_FUNCTION Hermite<T> operator()(long e) const {
    using std::sqrt;
    const double length = sqrt(r[3 * e] * r[3 * e] + r[3 * e + 1] * r[3 * e + 1] + r[3 * e + 2] * r[3 * e + 2]);
    const double place = (length - begin) / spacing;
    int k = static_cast<int>(place);
    k = k < 0 ? 0 : k < knots - 1 ? k : knots - 2;
    const double t = place - k;
    const HermiteFactors factors = hermite_factors(t);
    Hermite<T> h;
    h.rows = rows + 2L * k * weights;
    for (int n = 0; n < 4; ++n) {
      h.value[n] = static_cast<T>(factors.value[n]);
      h.slope[n] = static_cast<T>(factors.slope[n] / spacing);
    }
    return h;
  }
};

template <class T>
KOKKOS_INLINE_FUNCTION Lane<T> combine(const T* rows, int weights, const T* factors) {
  Lane<T> sum = load_lane(rows) * factors[0];
  for (int k = 1; k < 4; ++k) sum += load_lane(rows + k * weights) * factors[k];
  return sum;
}

template <class T>
struct EvaluateTable {
  Locate<T> locate;
  T* out;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int e) const {
    const Hermite<T> h = locate(e);
    const int weights = locate.weights;
    T* target = out + static_cast<long>(e) * weights;
    team.for_blocks(weights / lane_width<T>, [&](int b) {
      store_lane(target + b * lane_width<T>, combine(h.rows + b * lane_width<T>, weights, h.value));
    });
  }
};

template <class T>
struct TableBackward {
  Locate<T> locate;
  const T* g_out;
  double* g_length;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int e) const {
    const Hermite<T> h = locate(e);
    const int weights = locate.weights;
    const T* g = g_out + static_cast<long>(e) * weights;
    Lane<T> sum(T(0));
    team.for_blocks(weights / lane_width<T>, [&](int b) {
      sum += load_lane(g + b * lane_width<T>) * combine(h.rows + b * lane_width<T>, weights, h.slope);
    });
    const T total = team.sum(sum);
    team.once([&] { g_length[e] += static_cast<double>(total); });
  }
};

}  // namespace

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

template <class T>
void RadialTable<T>::evaluate(long edges, const double* r, T* out) const {
  for_teams("isotrope::radial_table", static_cast<int>(edges),
            EvaluateTable<T>{{knots_, weights_, begin_, spacing_, r, rows_.data()}, out});
}

template <class T>
void RadialTable<T>::backward(long edges, const double* r, const T* g_out, double* g_length) const {
  for_teams("isotrope::radial_table_backward", static_cast<int>(edges),
            TableBackward<T>{{knots_, weights_, begin_, spacing_, r, rows_.data()}, g_out, g_length});
}

template class RadialTable<float>;
template class RadialTable<double>;

}  // namespace isotrope
