// SPDX-License-Identifier: MIT
#include "layers/radial_tabulation.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/lane.hpp"

namespace isotrope {
namespace {

/// Not a number is the largest of all, and stays.
void raise(double& most, double value) {
  if (!std::isnan(most) && !(std::abs(value) <= most)) most = std::abs(value);
}

/// The slope of sin(f r) / r loses digits towards r = 0, and no two atoms come closer than this.
constexpr double first_knot = 0.1;   // Å
constexpr double most_width = 0.25;  // Å
constexpr int fewest_intervals = 4, most_rows = 8192;
/// Below the shortest bonds functions are steep, and no table needs its full accuracy there.
constexpr double shortest_bond = 0.7;  // Å
constexpr double steep = 30;

/// Stretches of one width, of which one ends at the cutoff and, where the curvature jumps, one at the kink.
struct Stretches {
  double begin, width;
  int count;

  Stretches(double cutoff, double kink) {
    const double divided = cutoff - (kink > 0 ? kink : first_knot);
    width = divided / std::max(1.0, std::ceil(divided / most_width - 1e-9));
    count = static_cast<int>(std::ceil((cutoff - first_knot) / width - 1e-9));
    begin = cutoff - count * width;
  }
  double begin_of(int k) const { return k == 0 ? std::max(begin, first_knot) : begin + k * width; }
  double end_of(int k) const { return begin + (k + 1) * width; }
  double factor_of(int k) const { return end_of(k) <= shortest_bond ? steep : 1; }
};

/// Coefficients [intervals + 3][weights] of the cubic splines through values on knots that have given slopes at the
/// ends: the sum of neighbours (1, 4, 1) / 6 is a value, half the difference of those around an end spacing * slope.
std::vector<double> spline_through(const SampledRadial& on_knots, int intervals, double spacing) {
  const std::size_t width = on_knots.values.size() / (intervals + 1), last = intervals;
  const double *f = on_knots.values.data(), *slope = on_knots.slopes.data();
  std::vector<double> c((intervals + 3) * width), ratio(intervals + 1);
  const auto at = [&](std::size_t knot) { return c.data() + (knot + 1) * width; };
  for (std::size_t k = 0; k <= last; ++k) {
    const double before = k == 0 ? 0 : k == last ? 2 : 1, after = k == 0 ? 2 : 1;
    const double pivot = 4 - (k == 0 ? 0 : before * ratio[k - 1]);
    ratio[k] = after / pivot;
    for (std::size_t w = 0; w < width; ++w) {
      double right = 6 * f[k * width + w];
      if (k == 0) right += 2 * spacing * slope[w];
      if (k == last) right -= 2 * spacing * slope[k * width + w];
      at(k)[w] = (right - (k == 0 ? 0 : before * at(k - 1)[w])) / pivot;
    }
  }
  for (std::size_t k = last; k-- > 0;) {
    for (std::size_t w = 0; w < width; ++w) at(k)[w] -= ratio[k] * at(k + 1)[w];
  }
  for (std::size_t w = 0; w < width; ++w) {
    c[w] = at(1)[w] - 2 * spacing * slope[w];
    at(last + 1)[w] = at(last - 1)[w] + 2 * spacing * slope[last * width + w];
  }
  return c;
}

/// The network on the knots of one stretch, its splines and their errors, which are largest in the middle of intervals
/// (values) and at h/2 -+ h/sqrt(12) (slopes; a quarter of the interval is near enough).
class SampledStretch {
 public:
  SampledStretch(const RadialNetwork& network, double begin, double end, int intervals)
      : begin_(begin), intervals_(intervals), spacing_((end - begin) / intervals) {
    on_knots = network.sample(distances(0, intervals + 1));
    coefficients = spline_through(on_knots, intervals, spacing_);
    for (const double t : {0.25, 0.5}) measure(t, network.sample(distances(t, intervals)));
  }

  SampledRadial on_knots;
  std::vector<double> coefficients;
  double value_error = 0, slope_error = 0;  ///< the largest

  TableStretch stretch(int row) const { return {begin_, 1 / spacing_, row, intervals_}; }
  int intervals() const { return intervals_; }
  int rows() const { return intervals_ + 3; }

 private:
  double begin_;
  int intervals_;
  double spacing_;

  std::vector<double> distances(double t, int count) const {
    std::vector<double> r(count);
    for (int k = 0; k < count; ++k) r[k] = begin_ + (k + t) * spacing_;
    return r;
  }

  void measure(double t, const SampledRadial& exact) {
    const SplineFactors factors = spline_factors(t);
    const std::size_t width = exact.values.size() / intervals_;
    for (std::size_t a = 0; a < exact.values.size(); ++a) {
      double value = 0, slope = 0;
      for (int n = 0; n < 4; ++n) {
        value += factors.value[n] * coefficients[a + n * width];
        slope += factors.slope[n] * coefficients[a + n * width] / spacing_;
      }
      raise(value_error, value - exact.values[a]);
      raise(slope_error, slope - exact.slopes[a]);
    }
  }
};

/// The largest value and slope of a network, and the errors of a table relative to them.
struct Scale {
  double value = 1e-300, slope = 1e-300;

  void include(const SampledRadial& s) {
    for (const double v : s.values) raise(value, v);
    for (const double v : s.slopes) raise(slope, v);
  }
  double error(const SampledStretch& s) const {
    double most = s.value_error / value;
    raise(most, s.slope_error / slope);
    return most;
  }
};

/// Errors of slopes fall with the third power of the spacing.
int finer(int intervals, double error, double tolerance) {
  const double wanted = 1.05 * intervals * std::cbrt(error / tolerance);
  return static_cast<int>(std::clamp(std::ceil(wanted), intervals + 1.0, 8.0 * intervals));
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
  const Stretches stretches(cutoff, network.kink);
  std::vector<SampledStretch> sampled;
  Scale scale;
  for (int k = 0; k < stretches.count; ++k) {
    sampled.emplace_back(network, stretches.begin_of(k), stretches.end_of(k), fewest_intervals);
    scale.include(sampled.back().on_knots);
  }
  report = {};
  std::vector<TableStretch> parts;
  std::vector<double> coefficients;
  int rows = 0;
  for (int k = 0; k < stretches.count; ++k) {
    SampledStretch& s = sampled[k];
    const double bound = tolerance * stretches.factor_of(k);
    for (double error; !((error = scale.error(s)) <= bound);) {
      require(
          std::isfinite(error) && rows + s.rows() <= most_rows,
          "radial tables: {} knots up to {:.2f} Å have a relative error of {:.1e}, the tolerance is {:.1e}; ask for "
          "radial exact",
          rows + s.rows(), stretches.end_of(k), error, bound);
      s = SampledStretch(network, stretches.begin_of(k), stretches.end_of(k), finer(s.intervals(), error, bound));
    }
    parts.push_back(s.stretch(rows));
    coefficients.insert(coefficients.end(), s.coefficients.begin(), s.coefficients.end());
    rows += s.rows();
    report.knots += s.intervals();
    if (stretches.factor_of(k) > 1) continue;
    report.value_error = std::max(report.value_error, s.value_error / scale.value);
    report.slope_error = std::max(report.slope_error, s.slope_error / scale.slope);
  }
  report.knots += 1;
  int weights = 0;
  for (const int count : network.channels) weights += padded<T>(count);
  return std::make_unique<RadialTable<T>>(stretches.begin, stretches.width, parts, weights,
                                          pad_paths<T>(coefficients, network.channels));
}

template std::unique_ptr<RadialTable<float>> tabulate(const RadialNetwork&, double, double, TableReport&);
template std::unique_ptr<RadialTable<double>> tabulate(const RadialNetwork&, double, double, TableReport&);

}  // namespace isotrope
