// SPDX-License-Identifier: MIT
#include "models/mace_tables.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "layers/radial_basis.hpp"

namespace isotrope {
namespace {

using A = WithTangent<double>;

/// Values and slopes of a radial network at some distances, [distances][weights].
struct Sampled {
  std::vector<double> values, slopes;
};

/// The network of one layer, in double, without padding.
class Network {
 public:
  Network(const MaceShape& shape, const MaceLayer& layer, const View<double>& weights,
          const std::vector<double>& frequencies)
      : layer_(layer), weights_(weights), channels_(shape.channels) {
    basis_ = {shape.num_bessel, shape.cutoff_power, shape.cutoff, frequencies.data()};
  }
  int paths() const { return static_cast<int>(layer_.convolution->paths.size()); }

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
    const int width = layer_.convolution->weights;
    layer_.radial.forward<A>(weights_.data(), n, x.data(), scratch_, output_.reserve(n * width * A::rows));
    auto host = Kokkos::create_mirror_view(output_.view());
    Kokkos::deep_copy(host, output_.view());
    Sampled s;
    const int pad = width / paths();
    for (long k = 0; k < n; ++k) {
      for (int p = 0; p < paths(); ++p) {
        for (int c = 0; c < channels_; ++c) {
          s.values.push_back(host((2 * k) * width + p * pad + c));
          s.slopes.push_back(host((2 * k + 1) * width + p * pad + c));
        }
      }
    }
    return s;
  }

 private:
  const MaceLayer& layer_;
  const View<double>& weights_;
  int channels_;
  BesselBasis basis_;
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

std::vector<double> knots_of(double cutoff, int knots) {
  std::vector<double> r(knots);
  for (int k = 0; k < knots; ++k) r[k] = first_knot + (cutoff - first_knot) * k / (knots - 1);
  return r;
}

/// Largest errors of values and slopes in the middle of the intervals, where those of Hermite's interpolant are close
/// to their largest (value) or at h/2 -+ h/sqrt(12) (slope; a quarter of the interval is near enough), relative to the
/// largest value and slope.
TableReport measure(Network& network, double cutoff, const std::vector<double>& knots, const Sampled& on_knots) {
  const int n = static_cast<int>(knots.size()), width = static_cast<int>(on_knots.values.size()) / n;
  const double h = (cutoff - first_knot) / (n - 1);
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

/// [knots][paths][channels] into the padded order of kernels.
std::vector<double> pad_channels(const std::vector<double>& values, int channels, int pad) {
  std::vector<double> padded(values.size() / channels * pad, 0.0);
  for (std::size_t k = 0; k < values.size(); ++k) padded[k / channels * pad + k % channels] = values[k];
  return padded;
}

}  // namespace

template <class T>
MaceTables<T> tabulate_radial(const MaceShape& shape, const Parameters& names, std::span<const double> parameters,
                              const std::vector<CouplingTable>& couplings, const std::vector<double>& frequencies,
                              double tolerance) {
  constexpr int most_knots = 8193;
  const MaceWeights plan = plan_weights<double>(shape, names, couplings);
  View<double> weights;
  plan.plan.prepare<double>(parameters, weights);
  const int pad = padded<T>(shape.channels);
  MaceTables<T> tables;
  for (const MaceLayer& layer : plan.layers) {
    Network network(shape, layer, weights, frequencies);
    TableReport report;
    Sampled sampled;
    for (int n = 257;; n = 2 * n - 1) {
      const std::vector<double> knots = knots_of(shape.cutoff, n);
      sampled = network.sample(knots);
      report = measure(network, shape.cutoff, knots, sampled);
      if (std::max(report.value_error, report.slope_error) <= tolerance) break;
      require(2 * n - 1 <= most_knots,
              "radial tables: {} knots have a relative error of {:.1e}, the tolerance is {:.1e}; ask for radial exact",
              n, std::max(report.value_error, report.slope_error), tolerance);
    }
    tables.layers.push_back(std::make_unique<RadialTable<T>>(
        first_knot, shape.cutoff, report.knots, network.paths() * pad,
        pad_channels(sampled.values, shape.channels, pad), pad_channels(sampled.slopes, shape.channels, pad)));
    tables.report.knots = std::max(tables.report.knots, report.knots);
    tables.report.value_error = std::max(tables.report.value_error, report.value_error);
    tables.report.slope_error = std::max(tables.report.slope_error, report.slope_error);
  }
  return tables;
}

template MaceTables<float> tabulate_radial(const MaceShape&, const Parameters&, std::span<const double>,
                                           const std::vector<CouplingTable>&, const std::vector<double>&, double);
template MaceTables<double> tabulate_radial(const MaceShape&, const Parameters&, std::span<const double>,
                                            const std::vector<CouplingTable>&, const std::vector<double>&, double);

}  // namespace isotrope
