// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <vector>

#include "layers/layout.hpp"

namespace isotrope {

/// One term of a product basis: output += weight * value * x_i x_j x_k; unused factors are -1.
struct ProductTerm {
  int output, weight;
  std::array<int, 3> factors;
  double value;
};

/// The polynomials as kernels read them.
struct PolynomialTables {
  int components = 0, outputs = 0;
  View<int> pairs_of;   ///< [outputs + 1]
  View<int> pair;       ///< [pairs][i, j]
  View<int> thirds_of;  ///< [pairs + 1]
  View<int> third;      ///< [monomials] k
};

/// A product basis with its weights folded in, for energies and forces: each output is one polynomial, whose monomials
/// have a coefficient per species and channel, where the terms have one per path. A polynomial is summed as
///   sum over pairs (i, j) of x_i x_j sum over k of c_ijk x_k,
/// with x_n = 1 for the factors that are not there, and as few pairs as a greedy choice finds. Four atoms share what is
/// read of it.
class ProductPolynomials {
 public:
  static constexpr int most_components = 16;

  ProductPolynomials() = default;
  /// Terms sorted by output, each output with one at least; x has `components`.
  ProductPolynomials(const std::vector<ProductTerm>& terms, int components);

  std::size_t size(std::size_t species, int pad) const { return species * monomials_ * pad; }
  /// Coefficients of a species, size(1, pad), from its weights [weights][pad].
  template <class T>
  void fold(const T* weights, int pad, T* coefficients) const;

  /// As product_forward and product_backward of product_basis.hpp, with coefficients in place of the weights.
  template <class T>
  void forward(const std::vector<int>& segment, const T* coefficients, const Features<Plain<T>>& x,
               const Features<Plain<T>>& b) const;
  template <class T>
  void backward(const std::vector<int>& segment, const T* coefficients, const Features<Plain<T>>& x,
                const Features<Plain<T>>& g_b, const Features<Plain<T>>& g_x) const;

 private:
  template <class T, class F>
  void for_species(const std::vector<int>& segment, const T* coefficients, const Features<Plain<T>>& x,
                   const F& f) const;

  int monomials_ = 0;
  View<int> terms_of_;  ///< [monomials + 1]
  View<int> weight_;    ///< [terms]
  View<double> value_;  ///< [terms]
  PolynomialTables tables_;
};

}  // namespace isotrope
