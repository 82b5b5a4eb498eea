// SPDX-License-Identifier: MIT
#include "models/tdn_tables.hpp"

#include "layers/radial_tabulation.hpp"

namespace isotrope {
namespace {

using A = WithTangent<double>;

/// The network at some distances; the tangent is that of the distance.
SampledRadial sample(const TdnWeights& plan, const View<double>& weights, const NormedMlp& network, int channels,
                     const std::vector<double>& distances) {
  const long n = static_cast<long>(distances.size());
  std::vector<Dual<double>> lengths(n);
  for (long k = 0; k < n; ++k) lengths[k] = {distances[k], 1};
  const View<Dual<double>> length = to_device("isotrope::table::lengths", lengths);
  Buffer<double> basis, output;
  NormedMlp::Scratch<A> scratch;
  const int width = network.last.out;
  double* values = basis.reserve(n * plan.gaussians.pad * A::rows);
  gaussians<A>(plan.gaussians, weights.data(), n, length.data(), values);
  network.forward<A>(weights.data(), n, values, scratch, output.reserve(n * width * A::rows));
  auto host = Kokkos::create_mirror_view(output.view());
  Kokkos::deep_copy(host, output.view());
  SampledRadial s;
  for (long k = 0; k < n; ++k) {
    for (int c = 0; c < channels; ++c) {
      s.values.push_back(host((2 * k) * width + c));
      s.slopes.push_back(host((2 * k + 1) * width + c));
    }
  }
  return s;
}

}  // namespace

template <class T>
TdnTables<T> tabulate_radial(const TdnShape& shape, const Parameters& names, std::span<const double> parameters,
                             double tolerance) {
  const TdnWeights plan = plan_weights<double>(shape, names);
  View<double> weights;
  plan.plan.prepare<double>(parameters, weights);
  std::vector<const NormedMlp*> networks{&plan.degree_radial};
  for (const TdnBlock& block : plan.blocks) networks.push_back(&block.attention.radial);
  if (shape.direct_forces) networks.push_back(&plan.force.radial);
  TdnTables<T> tables;
  for (const NormedMlp* network : networks) {
    TableReport report;
    const auto at = [&](const std::vector<double>& r) { return sample(plan, weights, *network, shape.channels, r); };
    tables.networks.push_back(tabulate<T>({at, {shape.channels}}, shape.cutoff, tolerance, report));
    tables.report.include(report);
  }
  return tables;
}

template TdnTables<float> tabulate_radial(const TdnShape&, const Parameters&, std::span<const double>, double);
template TdnTables<double> tabulate_radial(const TdnShape&, const Parameters&, std::span<const double>, double);

}  // namespace isotrope
