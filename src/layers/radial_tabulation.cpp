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

std::vector<double> knots_of(double cutoff, int knots) {
  std::vector<double> r(knots);
  for (int k = 0; k < knots; ++k) r[k] = first_knot + (cutoff - first_knot) * k / (knots - 1);
  return r;
}

/// Largest errors of values and slopes in the middle of the intervals, where those of Hermite's interpolant are close
/// to their largest (value) or at h/2 -+ h/sqrt(12) (slope; a quarter of the interval is near enough), relative to the
/// largest value and slope.
TableReport measure(const RadialNetwork& network, double cutoff, const std::vector<double>& knots,
                    const SampledRadial& on_knots) {
  const int n = static_cast<int>(knots.size()), width = static_cast<int>(on_knots.values.size()) / n;
  const double h = (cutoff - first_knot) / (n - 1);
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

/// [knots][paths][channels] into the padded order of kernels.
std::vector<double> pad_channels(const std::vector<double>& values, int channels, int pad) {
  std::vector<double> padded(values.size() / channels * pad, 0.0);
  for (std::size_t k = 0; k < values.size(); ++k) padded[k / channels * pad + k % channels] = values[k];
  return padded;
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
  SampledRadial sampled;
  for (int n = 257;; n = 2 * n - 1) {
    const std::vector<double> knots = knots_of(cutoff, n);
    sampled = network.sample(knots);
    report = measure(network, cutoff, knots, sampled);
    if (std::max(report.value_error, report.slope_error) <= tolerance) break;
    require(2 * n - 1 <= most_knots,
            "radial tables: {} knots have a relative error of {:.1e}, the tolerance is {:.1e}; ask for radial exact", n,
            std::max(report.value_error, report.slope_error), tolerance);
  }
  const int pad = padded<T>(network.channels);
  return std::make_unique<RadialTable<T>>(first_knot, cutoff, report.knots, network.paths * pad,
                                          pad_channels(sampled.values, network.channels, pad),
                                          pad_channels(sampled.slopes, network.channels, pad));
}

template std::unique_ptr<RadialTable<float>> tabulate(const RadialNetwork&, double, double, TableReport&);
template std::unique_ptr<RadialTable<double>> tabulate(const RadialNetwork&, double, double, TableReport&);

}  // namespace isotrope
