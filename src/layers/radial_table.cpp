// SPDX-License-Identifier: MIT
#include "layers/radial_table.hpp"

#include "core/loops.hpp"

namespace isotrope {
namespace {

template <class T>
struct EvaluateTable {
  TableView<T> table;
  const double* r;
  T* out;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int e) const {
    const auto place = table.place(r + 3L * e);
    T* target = out + static_cast<long>(e) * table.weights;
    team.for_blocks(table.weights / lane_width<T>,
                    [&](int b) { store_lane(target + b * lane_width<T>, place.value(b * lane_width<T>)); });
  }
};

template <class T>
struct TableBackward {
  TableView<T> table;
  const double* r;
  const T* g_out;
  double* g_length;
  KOKKOS_FUNCTION void operator()(const ChannelTeam& team, int e) const {
    const auto place = table.place(r + 3L * e);
    const T* g = g_out + static_cast<long>(e) * table.weights;
    typename TableView<T>::Place::Gradient sum;
    team.for_blocks(table.weights / lane_width<T>,
                    [&](int b) { place.add_gradient(sum, b * lane_width<T>, load_lane(g + b * lane_width<T>)); });
    const T total = team.sum(place.by_distance(sum));
    team.once([&] { g_length[e] += static_cast<double>(total); });
  }
};

}  // namespace

template <class T>
RadialTable<T>::RadialTable(double begin, double width, const std::vector<TableStretch>& stretches, int weights,
                            const std::vector<double>& coefficients)
    : weights_(weights),
      begin_(begin),
      width_(width),
      stretches_(to_device("isotrope::radial_table::stretches", stretches)),
      rows_(to_device("isotrope::radial_table", std::vector<T>(coefficients.begin(), coefficients.end()))) {}

template <class T>
void RadialTable<T>::evaluate(long edges, const double* r, T* out) const {
  for_teams("isotrope::radial_table", static_cast<int>(edges), EvaluateTable<T>{view(), r, out});
}

template <class T>
void RadialTable<T>::backward(long edges, const double* r, const T* g_out, double* g_length) const {
  for_teams("isotrope::radial_table_backward", static_cast<int>(edges), TableBackward<T>{view(), r, g_out, g_length});
}

template class RadialTable<float>;
template class RadialTable<double>;

}  // namespace isotrope
