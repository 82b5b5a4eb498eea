// SPDX-License-Identifier: MIT
#include "models/mace_tables.hpp"

#include "layers/radial_tabulation.hpp"

#include "layers/radial_basis.hpp"

namespace isotrope {
namespace {

using A = WithTangent<double>;

/// The network of one layer, in double, without padding.
class Network {
 public:
  Network(const MaceShape& shape, const MaceLayer& layer, const View<double>& weights,
          const std::vector<double>& frequencies)
      : layer_(layer), weights_(weights), channels_(shape.channels) {
    basis_ = {shape.num_bessel, shape.cutoff_power, shape.cutoff, frequencies.data()};
  }
  int paths() const { return static_cast<int>(layer_.convolution->paths.size()); }

  SampledRadial sample(const std::vector<double>& distances) {
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
    SampledRadial s;
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

}  // namespace

template <class T>
MaceTables<T> tabulate_radial(const MaceShape& shape, const Parameters& names, std::span<const double> parameters,
                              const std::vector<CouplingTable>& couplings, const std::vector<double>& frequencies,
                              double tolerance) {
  const MaceWeights plan = plan_weights<double>(shape, names, couplings);
  View<double> weights;
  plan.plan.prepare<double>(parameters, weights);
  MaceTables<T> tables;
  for (const MaceLayer& layer : plan.layers) {
    Network network(shape, layer, weights, frequencies);
    TableReport report;
    const auto sample = [&](const std::vector<double>& distances) { return network.sample(distances); };
    tables.layers.push_back(tabulate<T>({sample, network.paths(), shape.channels}, shape.cutoff, tolerance, report));
    tables.report.include(report);
  }
  return tables;
}

template MaceTables<float> tabulate_radial(const MaceShape&, const Parameters&, std::span<const double>,
                                           const std::vector<CouplingTable>&, const std::vector<double>&, double);
template MaceTables<double> tabulate_radial(const MaceShape&, const Parameters&, std::span<const double>,
                                            const std::vector<CouplingTable>&, const std::vector<double>&, double);

}  // namespace isotrope
