// SPDX-License-Identifier: MIT
#include "layers/radial_tables.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

using A = WithTangent<double>;

/// Values and slopes of a radial network at some distances, [distances][live weights].
struct Sampled {
  std::vector<double> values, slopes;
};

/// The network of one layer, in double.
class Network {
 public:
  Network(const BesselBasis& basis, const RadialMlp& radial, const View<double>& weights, const Convolution& padded)
      : basis_(basis), radial_(radial), weights_(weights), convolution_(padded) {}

  Sampled sample(const std::vector<double>& distances) {
    const long n = static_cast<long>(distances.size());
    std::vector<double> input(n * basis_.count * A::rows);
    for (long k = 0; k < n; ++k) {
      const Dual<double> r{distances[k], 1}, envelope = basis_.scaled_envelope(r);
      for (int b = 0; b < basis_.count; ++b) {
        const Dual<double> value = basis_.value(b, r, envelope);
        input[(2 * k) * basis_.count + b] = value.v;
        input[(2 * k + 1) * basis_.count + b] = value.t;
      }
    }
    const View<double> x = to_device("isotrope::table::input", input);
    const int width = convolution_.weights;
    radial_.forward<A>(weights_.data(), n, x.data(), scratch_, output_.reserve(n * width * A::rows));
    auto host = Kokkos::create_mirror_view(output_.view());
    Kokkos::deep_copy(host, output_.view());
    Sampled s;
    for (long k = 0; k < n; ++k) {
      for (const ConvolutionPath& path : convolution_.paths) {
        for (int c = 0; c < path.channels; ++c) {
          s.values.push_back(host((2 * k) * width + path.weight + c));
          s.slopes.push_back(host((2 * k + 1) * width + path.weight + c));
        }
      }
    }
    return s;
  }

 private:
  const BesselBasis& basis_;
  const RadialMlp& radial_;
  const View<double>& weights_;
  const Convolution& convolution_;
  RadialMlp::Scratch<A> scratch_;
  Buffer<double> output_{"isotrope::table::output"};
};

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return std::max(most, 1e-300);
}

/// The slope of sin(f r) / r loses digits towards r = 0, and no two atoms come closer than this.
constexpr double first_knot = 0.1;  // Å

/// Equidistant, the last at the cutoff, the first at first_knot or, where the envelope wants a knot at a certain place,
/// up to one interval below.
std::vector<double> knots_of(const Envelope& envelope, int knots) {
  double spacing = (envelope.cutoff - first_knot) / (knots - 1);
  if (envelope.kind == Envelope::Kind::xplor) {
    const double width = envelope.cutoff - envelope.on;
    spacing = width / std::max(1.0, std::ceil(width / spacing));
    knots = static_cast<int>(std::ceil((envelope.cutoff - first_knot) / spacing - 1e-9)) + 1;
  }
  std::vector<double> r(knots);
  for (int k = 0; k < knots; ++k) r[k] = envelope.cutoff - spacing * (knots - 1 - k);
  return r;
}

/// Largest errors of values and slopes in the middle of the intervals, where those of Hermite's interpolant are close
/// to their largest (value) or at h/2 -+ h/sqrt(12) (slope; a quarter of the interval is near enough), relative to the
/// largest value and slope.
TableReport measure(Network& network, const std::vector<double>& knots, const Sampled& on_knots) {
  const int n = static_cast<int>(knots.size()), width = static_cast<int>(on_knots.values.size()) / n;
  const double h = (knots.back() - knots.front()) / (n - 1);
  TableReport report;
  report.knots = n;
  for (const double t : {0.25, 0.5}) {
    const HermiteFactors factors = hermite_factors(t);
    std::vector<double> between(n - 1);
    for (int k = 0; k + 1 < n; ++k) between[k] = knots[k] + t * h;
    const Sampled exact = network.sample(between);
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

/// [knots][live weights] into the padded order of kernels.
std::vector<double> padded_rows(const std::vector<double>& values, const Convolution& target) {
  std::vector<double> rows;
  std::size_t from = 0;
  while (from < values.size()) {
    const std::size_t row = rows.size();
    rows.resize(row + target.weights, 0.0);
    for (const ConvolutionPath& path : target.paths) {
      for (int c = 0; c < path.channels; ++c) rows[row + path.weight + c] = values[from++];
    }
  }
  return rows;
}

}  // namespace

template <class T>
void RadialTables<T>::add(const RadialMlp& radial, const View<double>& weights, const Convolution& padded,
                          const Convolution& target) {
  constexpr int most_knots = 8193;
  Network network(basis_, radial, weights, padded);
  TableReport found;
  Sampled sampled;
  std::vector<double> knots;
  for (int n = 257;; n = 2 * n - 1) {
    knots = knots_of(basis_.envelope, n);
    sampled = network.sample(knots);
    found = measure(network, knots, sampled);
    if (std::max(found.value_error, found.slope_error) <= tolerance_) break;
    require(2 * n - 1 <= most_knots,
            "radial tables: {} knots have a relative error of {:.1e}, the tolerance is {:.1e}; ask for radial exact", n,
            std::max(found.value_error, found.slope_error), tolerance_);
  }
  layers.push_back(std::make_unique<RadialTable<T>>(knots.front(), knots.back(), found.knots, target.weights,
                                                    padded_rows(sampled.values, target),
                                                    padded_rows(sampled.slopes, target)));
  report.knots = std::max(report.knots, found.knots);
  report.value_error = std::max(report.value_error, found.value_error);
  report.slope_error = std::max(report.slope_error, found.slope_error);
}

template class RadialTables<float>;
template class RadialTables<double>;

}  // namespace isotrope
