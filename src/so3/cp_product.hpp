// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "so3/tensor_product.hpp"

/// Products from a canonical polyadic (CP) decomposition of their coupling tensor (Lin et al., NeurIPS 2025): M_ijk =
/// sum_r A_ir B_jr C_kr, so z_k = sum_r C_kr (sum_i A_ir x_i) (sum_j B_jr y_j). Equivariant only as far as the
/// decomposition is exact: its error is the first thing to look at.
namespace isotrope {

/// M [components of x][of y][of z]: all paths with coefficient 1 (each Wigner 3j symbol has norm 1, so |M|^2 counts the
/// paths). TDN labels all irreps even; parity selects the paths.
std::vector<double> coupling_tensor(const Irreps& first, const Irreps& second, const Irreps& out);

struct CpFactors {
  int rank = 0;
  std::vector<double> first, second, out;  ///< A, B, C [components][rank]
  double error = 0;                        ///< |M - sum A B C| / |M|, Frobenius
};
struct CpSearch {
  int starts = 8;            ///< from different random numbers; the best is kept
  int iterations = 4000;     ///< of each start, at most
  double tolerance = 1e-12;  ///< on the error: a start below it is the last
  std::uint64_t seed = 1;
};

/// The best factors found by alternating least squares, with a damping that falls with the error (without it factors
/// grow without bound where two columns approach each other), and Levenberg-Marquardt steps for the last digits where
/// the tensor has up to 1000 numbers. The same on every machine up to rounding. Throws unless 1 <= rank <= 256.
CpFactors decompose(const std::vector<double>& tensor, int n1, int n2, int n3, int rank, const CpSearch& search = {});

/// The smallest rank with which the search comes below `tolerance`, found by bisection between 1 and n1 n2.
CpFactors exact_decomposition(const std::vector<double>& tensor, int n1, int n2, int n3, double tolerance,
                              const CpSearch& search = {});

/// One weight per block of x, y and z.
std::unique_ptr<TensorProduct> cp_product(const Irreps& first, const Irreps& second, const Irreps& out,
                                          const CpFactors& factors);

}  // namespace isotrope
