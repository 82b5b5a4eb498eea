// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/lane.hpp"

namespace isotrope {

/// A bilinear product of features x_i with the harmonics Y_j of an edge whose paths share one weight (TDN's tensor
/// product): out_k = sum_ij M_ijk x_i Y_j, i, j, k over the d = (l_max + 1)^2 components of l = 0 ... l_max. Contracted
/// with the harmonics first, one matrix G_ik = sum_j M_ijk Y_j an edge serves all channels and layers:
/// d^2 multiplications a channel.
class EdgeProduct {
 public:
  /// `tensor` is M, row-major [i][j][k].
  EdgeProduct(int l_max, const std::vector<double>& tensor);

  int l_max, d;

  /// matrices [edge][d][d] from harmonics [edge][d].
  template <class A>
  void contract(long edges, const typename A::Num* harmonics, typename A::Num* matrices) const;
  /// g_harmonics = adjoint (written).
  template <class T>
  void contract_backward(long edges, const T* g_matrices, T* g_harmonics) const;

 private:
  View<int> begin_,
      harmonic_;  ///< matrix entry n is the sum over begin[n] <= e < begin[n+1] of value[e] Y[harmonic[e]]
  View<double> value_;
};

/// M with every path (l1, l2 -> l3) of l <= l_max as its Wigner 3j tensor of norm 1, all with weight 1; with
/// `natural_parity` only those of even l1 + l2 + l3, which a reflection leaves as they are.
std::vector<double> all_path_tensor(int l_max, bool natural_parity);

/// M_ijk = sum_r a_ir b_jr c_kr from factors [d][rank].
std::vector<double> cp_tensor(int d, const std::vector<double>& a, const std::vector<double>& b,
                              const std::vector<double>& c);

}  // namespace isotrope
