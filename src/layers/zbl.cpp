// SPDX-License-Identifier: MIT
#include "layers/zbl.hpp"

#include <cmath>

#include "core/loops.hpp"

namespace isotrope {
namespace {

KOKKOS_INLINE_FUNCTION double length_of(const double* r) {
  using std::sqrt;
  return sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
}

struct ZblEnergy {
  ZblFunction function;
  const long* first;
  const int *sender, *species;
  const double* r;
  double* energy;
  KOKKOS_FUNCTION void operator()(long i) const {
    double sum = 0;
    for (long e = first[i]; e < first[i + 1]; ++e) {
      sum += function(species[i], species[sender[e]], length_of(r + 3 * e));
    }
    energy[i] += sum;
  }
};

template <class T>
struct ZblBackward {
  ZblFunction function;
  const int *receiver, *sender, *species;
  const double* r;
  const T* seed;
  double* g_length;
  KOKKOS_FUNCTION void operator()(long e) const {
    const int i = receiver[e];
    const Dual<double> length{length_of(r + 3 * e), 1};
    g_length[e] += static_cast<double>(seed[i]) * function(species[i], species[sender[e]], length).t;
  }
};

}  // namespace

Zbl::Zbl(std::span<const int> elements, std::span<const double> constants, std::span<const double> radii, int power) {
  const double energy = constants[0], length = constants[1], exponent = constants[2];
  for (int n = 0; n < ZblFunction::terms; ++n) {
    function_.factor[n] = constants[3 + n];
    function_.exponent[n] = constants[3 + ZblFunction::terms + n];
  }
  std::vector<ZblPair> pairs;
  for (std::size_t s = 0; s < elements.size(); ++s) {
    for (std::size_t t = 0; t < elements.size(); ++t) {
      const double z1 = elements[s], z2 = elements[t];
      pairs.push_back({0.5 * energy * z1 * z2, (std::pow(z1, exponent) + std::pow(z2, exponent)) / length,
                       Envelope::polynomial(power, radii[s] + radii[t])});
    }
  }
  function_.species = static_cast<int>(elements.size());
  pairs_ = to_device("isotrope::zbl", pairs);
  function_.pairs = pairs_.data();
}

void Zbl::add_energy(const DeviceGraph& graph, double* energy) const {
  for_each("isotrope::zbl", graph.rows,
           ZblEnergy{function_, graph.first.data(), graph.sender.data(), graph.species.data(), graph.r.data(), energy});
}

template <class T>
void Zbl::backward(const DeviceGraph& graph, const T* seed, double* g_length) const {
  for_each("isotrope::zbl_backward", graph.edges,
           ZblBackward<T>{function_, graph.receiver.data(), graph.sender.data(), graph.species.data(), graph.r.data(),
                          seed, g_length});
}

template void Zbl::backward(const DeviceGraph&, const float*, double*) const;
template void Zbl::backward(const DeviceGraph&, const double*, double*) const;

}  // namespace isotrope
