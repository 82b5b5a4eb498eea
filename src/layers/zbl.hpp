// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <vector>

#include "layers/device_graph.hpp"
#include "layers/radial_basis.hpp"

/// The screened repulsion of nuclei by Ziegler, Biersack and Littmark, cut off at the sum of two covalent radii as in
/// mace-torch: half of V(r) = k Z1 Z2 / r sum_n c_n exp(-d_n r / a) u(r / (R1 + R2)) for each of the two atoms,
/// a = b / (Z1^x + Z2^x).
namespace isotrope {

/// One pair of elements.
struct ZblPair {
  double strength = 0;        ///< k Z1 Z2 / 2, eV Å
  double inverse_length = 0;  ///< 1 / a, 1/Å
  Envelope end;
};

/// What an atom has of the energy of one edge.
struct ZblFunction {
  static constexpr int terms = 4;
  double factor[terms], exponent[terms];
  int species = 0;
  const ZblPair* pairs = nullptr;  ///< [species][species]

  template <class N>
  KOKKOS_INLINE_FUNCTION N operator()(int species_1, int species_2, const N& r) const {
    using std::exp;
    const ZblPair& pair = pairs[species_1 * species + species_2];
    const N x = r * pair.inverse_length;
    N sum = exp(x * -exponent[0]) * factor[0];
    for (int n = 1; n < terms; ++n) sum = sum + exp(x * -exponent[n]) * factor[n];
    return pair.strength / r * sum * pair.end(r);
  }
};

class Zbl {
 public:
  /// Numbers of `constants`: k, b, x, then c_n and d_n for n = 1 ... 4.
  static constexpr int constant_count = 3 + 2 * ZblFunction::terms;

  Zbl() = default;
  /// `radii` [elements]: covalent ones, Å; `power`: p of the envelope.
  Zbl(std::span<const int> elements, std::span<const double> constants, std::span<const double> radii, int power);

  /// energy[row] += that of its edges.
  void add_energy(const DeviceGraph& graph, double* energy) const;
  /// g_length[edge] += seed[receiver] times the slope.
  template <class T>
  void backward(const DeviceGraph& graph, const T* seed, double* g_length) const;

 private:
  ZblFunction function_{};
  View<ZblPair> pairs_;
};

}  // namespace isotrope
