// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/layout.hpp"
#include "layers/radial_table.hpp"

namespace isotrope {

/// One coupling (l1 of the sender, l2 of the harmonics -> l3 of the message).
struct ConvolutionPath {
  int in_block = 0, l1 = 0, l2 = 0, l3 = 0, out_block = 0;
  int channels = 0;     ///< of the sender block, without padding
  int out_channel = 0;  ///< where its channels start in the message block
  int weight = 0;       ///< where its channels start in a row of radial weights
  int coupling = 0;     ///< where its (2 l3 + 1) x (2 l1 + 1) matrix starts in a row of couplings
};

/// Sums with few terms: number k is the sum over begin[k] <= n < begin[k+1] of value[n] x[index[n]].
struct SparseSums {
  View<int> begin, index;
  View<double> value;
  View<float> single_value;

  struct Term {
    int index;
    double value;
  };
  SparseSums() = default;
  explicit SparseSums(const std::vector<std::vector<Term>>& numbers);

  /// Factors in the precision of the network.
  template <class T>
  const View<T>& values() const {
    if constexpr (std::is_same_v<T, float>) {
      return single_value;
    } else {
      return value;
    }
  }
};

/// The tensor-product convolution of NequIP and MACE: message_i = sum over edges of R(r) * C(l1 l2 l3) h_j Y(r_ij),
/// summed per receiver as the edges stream by. The 3j symbols are contracted with the harmonics first: one small matrix
/// per edge and path, shared by all channels. Nothing of size edges x channels is kept but the radial weights handed
/// in.
struct Convolution {
  static constexpr int l_limit = 3;

  /// Couplings of all (l1 of `in`, l2 <= l_max) with natural parity and l3 <= l_max, sorted by (l3, l1, l2).
  Convolution(const Layout& in, int l_max);
  /// The paths asked for: their blocks and l's are read, the rest is filled in. Those to one message block stand
  /// together; `out_blocks` of these there are. The factor is sqrt(2 l3 + 1) times the 3j symbol.
  Convolution(const Layout& in, std::vector<ConvolutionPath> paths, int out_blocks);

  Layout out;  ///< per message block the paths side by side
  std::vector<ConvolutionPath> paths;
  int weights = 0;                       ///< stored numbers of a row of radial weights
  int couplings = 0;                     ///< numbers of a row of couplings
  bool couplings_are_harmonics = false;  ///< scalars only: the matrices are the harmonics themselves

  SparseSums from_harmonics, to_harmonics;  ///< couplings, of Y, and their adjoint: none for Y_00, a constant
  View<ConvolutionPath> device_paths;
};

/// What a convolution reads for the edges [edge_begin, edge_end) of the receivers [row_begin, row_end). Messages and
/// their adjoints are handed in from receiver `message_begin` on. Radial weights are stored, or (plain numbers) come
/// from a table.
template <class A>
struct EdgeBatch {
  int row_begin = 0, row_end = 0;
  long edge_begin = 0, edge_end = 0;
  const long* first = nullptr;
  const int* sender = nullptr;                 ///< [edge - edge_begin] row of `in`
  const typename A::Num* couplings = nullptr;  ///< [edge - edge_begin][couplings]
  typename A::Real* weights = nullptr;         ///< [edge - edge_begin][row][weights]
  int message_begin = 0;
  TableView<typename A::Real> table{};  ///< in place of the weights where it has rows
  const double* r = nullptr;            ///< [edge][3] Å, for the table
  double* g_length = nullptr;           ///< [edge - edge_begin] where the adjoint by way of the table is added
};

/// couplings [edges][couplings] from harmonics [edges][harmonics].
template <class A>
void couple(const Convolution& c, long edges, int harmonics, const typename A::Num* y, typename A::Num* couplings);

template <class A>
void convolve(const Convolution& c, const EdgeBatch<A>& batch, const Features<A>& in, const Features<A>& out);

/// Adjoints: of the radial weights (written over batch.weights) or of the length, of the sender features (added to
/// g_in; none where its data is null) and, for plain numbers, of the couplings (written to g_couplings [edge -
/// edge_begin][couplings], but for paths with l2 = 0, since Y_00 is a constant; for duals nobody reads it).
template <class A>
void convolve_backward(const Convolution& c, const EdgeBatch<A>& batch, const Features<A>& in, const Features<A>& g_out,
                       const Features<A>& g_in, typename A::Real* g_couplings);

/// Adds the adjoint of the harmonics [edges][harmonics].
template <class T>
void couple_backward(const Convolution& c, long edges, int harmonics, const T* g_couplings, T* g_harmonics);

}  // namespace isotrope
