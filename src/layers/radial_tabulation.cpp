// SPDX-License-Identifier: MIT
#include "layers/radial_tabulation.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/lane.hpp"

namespace isotrope {
namespace {

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return std::max(most, 1e-300);
}

/// The slope of sin(f r) / r loses digits towards r = 0, and no two atoms come closer than this.
constexpr double first_knot = 0.1;  // Å

/// Equidistant, the last at the cutoff, the first at first_knot or, where a knot has to lie on a kink, up to one
/// interval below.
std::vector<double> knots_of(double cutoff, double kink, int knots) {
  double spacing = (cutoff - first_knot) / (knots - 1);
  if (kink > 0) {
    spacing = (cutoff - kink) / std::max(1.0, std::ceil((cutoff - kink) / spacing));
    knots = static_cast<int>(std::ceil((cutoff - first_knot) / spacing - 1e-9)) + 1;
  }
  std::vector<double> r(knots);
  for (int k = 0; k < knots; ++k) r[k] = cutoff - spacing * (knots - 1 - k);
  return r;
}

/// Largest errors of values and slopes in the middle of the intervals, where those of Hermite's interpolant are close
/// to their largest (value) or at h/2 -+ h/sqrt(12) (slope; a quarter of the interval is near enough), relative to the
/// largest value and slope.
TableReport measure(const RadialNetwork& network, const std::vector<double>& knots, const SampledRadial& on_knots) {
  const int n = static_cast<int>(knots.size()), width = static_cast<int>(on_knots.values.size()) / n;
  const double h = (knots.back() - knots.front()) / (n - 1);
  TableReport report;
  report.knots = n;
  for (const double t : {0.25, 0.5}) {
    const HermiteFactors factors = hermite_factors(t);
    std::vector<double> between(n - 1);
    for (int k = 0; k + 1 < n; ++k) between[k] = knots[k] + t * h;
    const SampledRadial exact = network.sample(between);
    for (int k = 0; k + 1 < n; ++k) {
      for (int w = 0; w < width; ++w) {
        const std::size_t a = static_cast<std::size_t>(k) * width + w, b = a + width;
        const double numbers[4] = {on_knots.values[a], h * on_knots.slopes[a], on_knots.values[b],
                                   h * on_knots.slopes[b]};
        double value = 0, slope = 0;
        for (int n = 0; n < 4; ++n) {
          value += factors.value[n] * numbers[n];
          slope += factors.slope[n] * numbers[n] / h;
        }
        report.value_error = std::max(report.value_error, std::abs(value - exact.values[a]));
        report.slope_error = std::max(report.slope_error, std::abs(slope - exact.slopes[a]));
      }
    }
  }
  report.value_error /= largest(on_knots.values);
  report.slope_error /= largest(on_knots.slopes);
  return report;
}

/// [knots][weights] into the padded order of kernels.
template <class T>
std::vector<double> pad_paths(const std::vector<double>& values, const std::vector<int>& channels) {
  std::vector<double> rows;
  for (std::size_t from = 0; from < values.size();) {
    for (const int count : channels) {
      const std::size_t at = rows.size();
      rows.resize(at + padded<T>(count), 0.0);
      for (int c = 0; c < count; ++c) rows[at + c] = values[from++];
    }
  }
  return rows;
}

}  // namespace

void TableReport::include(const TableReport& other) {
  knots = std::max(knots, other.knots);
  value_error = std::max(value_error, other.value_error);
  slope_error = std::max(slope_error, other.slope_error);
}

template <class T>
std::unique_ptr<RadialTable<T>> tabulate(const RadialNetwork& network, double cutoff, double tolerance,
                                         TableReport& report) {
  constexpr int most_knots = 8193;
  std::vector<double> knots;
  SampledRadial sampled;
  for (int n = 257;; n = 2 * n - 1) {
    knots = knots_of(cutoff, network.kink, n);
    sampled = network.sample(knots);
    report = measure(network, knots, sampled);
    if (std::max(report.value_error, report.slope_error) <= tolerance) break;
    require(2 * n - 1 <= most_knots,
            "radial tables: {} knots have a relative error of {:.1e}, the tolerance is {:.1e}; ask for radial exact", n,
            std::max(report.value_error, report.slope_error), tolerance);
  }
  int weights = 0;
  for (const int count : network.channels) weights += padded<T>(count);
  return std::make_unique<RadialTable<T>>(knots.front(), knots.back(), report.knots, weights,
                                          pad_paths<T>(sampled.values, network.channels),
                                          pad_paths<T>(sampled.slopes, network.channels));
}

template std::unique_ptr<RadialTable<float>> tabulate(const RadialNetwork&, double, double, TableReport&);
template std::unique_ptr<RadialTable<double>> tabulate(const RadialNetwork&, double, double, TableReport&);

}  // namespace isotrope
