// SPDX-License-Identifier: MIT
#include "layers/radial_tables.hpp"

namespace isotrope {
namespace {

using A = WithTangent<double>;

/// The network at some distances; the tangent is that of the distance.
SampledRadial sample(const BesselBasis& basis, const RadialMlp& network, const View<double>& weights,
                     const Convolution& convolution, const std::vector<double>& distances) {
  const long n = static_cast<long>(distances.size());
  std::vector<double> input(n * basis.count * A::rows);
  std::vector<Dual<double>> ends(n);
  for (long k = 0; k < n; ++k) {
    const Dual<double> r{distances[k], 1}, envelope = basis.scaled_envelope(r);
    ends[k] = basis.envelope(r);
    for (int b = 0; b < basis.count; ++b) {
      const Dual<double> value = basis.value(b, r, envelope);
      input[(2 * k) * basis.count + b] = value.v;
      input[(2 * k + 1) * basis.count + b] = value.t;
    }
  }
  const View<double> x = to_device("isotrope::table::input", input);
  const View<Dual<double>> factor = to_device("isotrope::table::envelope", ends);
  RadialMlp::Scratch<A> scratch;
  Buffer<double> output{"isotrope::table::output"};
  const int width = convolution.weights;
  network.forward<A>(weights.data(), n, x.data(), scratch, output.reserve(n * width * A::rows),
                     basis.enveloped ? nullptr : factor.data());
  auto host = Kokkos::create_mirror_view(output.view());
  Kokkos::deep_copy(host, output.view());
  SampledRadial s;
  for (long k = 0; k < n; ++k) {
    for (const ConvolutionPath& path : convolution.paths) {
      for (int c = 0; c < path.channels; ++c) {
        s.values.push_back(host((2 * k) * width + path.weight + c));
        s.slopes.push_back(host((2 * k + 1) * width + path.weight + c));
      }
    }
  }
  return s;
}

}  // namespace

template <class T>
void RadialTables<T>::add(const RadialMlp& radial, const View<double>& weights, const Convolution& convolution) {
  RadialNetwork network;
  network.sample = [&](const std::vector<double>& r) { return sample(basis_, radial, weights, convolution, r); };
  for (const ConvolutionPath& path : convolution.paths) network.channels.push_back(path.channels);
  const Envelope& envelope = basis_.envelope;
  if (envelope.kind == Envelope::Kind::xplor) network.kink = envelope.on;
  TableReport found;
  layers.push_back(tabulate<T>(network, envelope.cutoff, tolerance_, found));
  report.include(found);
}

template class RadialTables<float>;
template class RadialTables<double>;

}  // namespace isotrope
