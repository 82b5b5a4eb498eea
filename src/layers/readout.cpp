// SPDX-License-Identifier: MIT
#include "layers/readout.hpp"

#include "core/loops.hpp"

namespace isotrope {
namespace {

template <class T>
struct AddColumn {
  const T* y;
  long stride;
  double* energy;
  KOKKOS_FUNCTION void operator()(long i) const { energy[i] += y[i * stride]; }
};

template <class A>
struct SeedColumn {
  const typename A::Num* seed;
  int width;
  typename A::Real* y;
  KOKKOS_FUNCTION void operator()(long i) const {
    auto* row = y + i * width * A::rows;
    for (int k = 0; k < width * A::rows; ++k) row[k] = 0;
    if constexpr (A::dual) {
      row[0] = seed[i].v;
      row[width] = seed[i].t;
    } else {
      row[0] = seed[i];
    }
  }
};

template <class A>
struct SeedEnergies {
  const int* species;
  const double *scale, *tangent;
  typename A::Num* seed;
  KOKKOS_FUNCTION void operator()(long i) const {
    using T = typename A::Real;
    const double s = scale[species[i]];
    if constexpr (A::dual) {
      seed[i] = {static_cast<T>(s), static_cast<T>(s * tangent[i])};
    } else {
      seed[i] = static_cast<T>(s);
    }
  }
};

template <class T>
struct PairEnergy {
  const long* first;
  const int *sender, *species;
  int n_species, count;
  const T *weights, *basis;
  double* energy;
  KOKKOS_FUNCTION void operator()(long i) const {
    double sum = 0;
    for (long e = first[i]; e < first[i + 1]; ++e) {
      const T* w = weights + (species[i] * n_species + species[sender[e]]) * count;
      for (int n = 0; n < count; ++n) sum += static_cast<double>(w[n]) * static_cast<double>(basis[e * count + n]);
    }
    energy[i] += sum;
  }
};

template <class A>
struct PairEnergyBackward {
  using T = typename A::Real;
  const int *sender, *receiver, *species;
  int n_species, count;
  const T *weights, *basis;
  const typename A::Num* seed;
  T *g_basis, *weight_gradient;
  KOKKOS_FUNCTION void operator()(long e) const {
    const int i = receiver[e];
    const long at = static_cast<long>(species[i] * n_species + species[sender[e]]) * count;
    const long row = e * count * A::rows;
    for (int n = 0; n < count; ++n) {
      if constexpr (A::dual) {
        // The dual pass ends at the edges: only the weights want their gradient.
        add_shared(weight_gradient + at + n, seed[i].v * basis[row + count + n] + seed[i].t * basis[row + n]);
      } else {
        g_basis[row + n] += seed[i] * weights[at + n];
      }
    }
  }
};

}  // namespace

template <class T>
void add_column(long rows, const T* y, long stride, double* energy) {
  for_each("isotrope::add_column", rows, AddColumn<T>{y, stride, energy});
}

template <class A>
void seed_column(long rows, const typename A::Num* seed, int width, typename A::Real* y) {
  for_each("isotrope::seed_column", rows, SeedColumn<A>{seed, width, y});
}

template <class A>
void seed_energies(const DeviceGraph& graph, const double* scale, typename A::Num* seed) {
  for_each("isotrope::seed_energies", graph.rows,
           SeedEnergies<A>{graph.species.data(), scale, graph.seed.data(), seed});
}

template <class T>
void pair_energy(const DeviceGraph& graph, int species, int count, const T* weights, const T* basis, double* energy) {
  for_each("isotrope::pair_energy", graph.rows,
           PairEnergy<T>{graph.first.data(), graph.sender.data(), graph.species.data(), species, count, weights, basis,
                         energy});
}

template <class A>
void pair_energy_backward(const DeviceGraph& graph, int species, int count, const typename A::Real* weights,
                          const typename A::Real* basis, const typename A::Num* seed, typename A::Real* g_basis,
                          typename A::Real* weight_gradient) {
  for_each("isotrope::pair_energy_backward", graph.edges,
           PairEnergyBackward<A>{graph.sender.data(), graph.receiver.data(), graph.species.data(), species, count,
                                 weights, basis, seed, g_basis, weight_gradient});
}

template void add_column(long, const float*, long, double*);
template void add_column(long, const double*, long, double*);
template void pair_energy(const DeviceGraph&, int, int, const float*, const float*, double*);
template void pair_energy(const DeviceGraph&, int, int, const double*, const double*, double*);
#define ISOTROPE_INSTANTIATE(A)                                                                                      \
  template void seed_column<A>(long, const A::Num*, int, A::Real*);                                                  \
  template void seed_energies<A>(const DeviceGraph&, const double*, A::Num*);                                        \
  template void pair_energy_backward<A>(const DeviceGraph&, int, int, const A::Real*, const A::Real*, const A::Num*, \
                                        A::Real*, A::Real*);
ISOTROPE_INSTANTIATE(Plain<float>)
ISOTROPE_INSTANTIATE(Plain<double>)
ISOTROPE_INSTANTIATE(WithTangent<float>)
ISOTROPE_INSTANTIATE(WithTangent<double>)
#undef ISOTROPE_INSTANTIATE

}  // namespace isotrope
