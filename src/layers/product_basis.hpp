// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/layout.hpp"
#include "layers/product_polynomials.hpp"
#include "layers/sphere_powers.hpp"

namespace isotrope {

/// The coupling tensor U of one (L, nu) in coordinates: rows of (M, i_1, ..., i_nu, path), and a value each.
struct CouplingTable {
  int L = 0, nu = 0, paths = 0;
  std::vector<int> indices;  ///< [nonzeros][nu + 2]
  std::vector<double> values;
};

/// The symmetric contraction of MACE (Batatia et al., NeurIPS 2022, eqs. 10 and 11): per atom and channel, polynomials
/// of the (l_max+1)^2 harmonic components x_i up to the correlation order, equivariant for each L, B_LM = sum_nu sum_k
/// w_k sum_{i1..i_nu} U_{M, i1..i_nu, k} x_i1 ... x_i_nu. Equal monomials are folded, and paths that are linear
/// combinations of others are mixed into the weights of those (WeightPlan::mix), so that few terms are left to
/// evaluate.
class ProductBasis {
 public:
  static constexpr int max_components = ProductPolynomials::most_components;
  static constexpr int max_weights = 96;

  struct Mixing {  ///< of the paths of one (L, nu)
    int L = 0, nu = 0;
    int paths = 0;            ///< in the parameters
    int independent = 0;      ///< in the evaluation
    int weight = 0;           ///< index of the first independent weight
    std::vector<double> mix;  ///< [independent][paths]
  };

  /// Tables sorted by L, each L with every nu up to the correlation. Throws where an index is out of range.
  ProductBasis(const std::vector<CouplingTable>& tables, int l_max);

  int components = 0;  ///< (l_max + 1)^2
  int outputs = 0;     ///< sum of 2 L + 1
  int weights = 0;     ///< independent weights per element and channel
  std::vector<Mixing> mixing;

  /// For numbers with tangents. A slot is one polynomial: the terms [begin[s], begin[s+1]) times weight[s], added to
  /// output[s]. Slots are sorted by output. A term is value * x_i x_j x_k; unused factors are -1.
  int slots = 0;
  View<int> begin, output, weight, factors;  ///< factors: [terms][3]
  View<double> value;
  ProductPolynomials polynomials;               ///< for plain numbers
  std::shared_ptr<const SpherePowers> on_grid;  ///< what these take instead, where it is there
};

/// What plain numbers read in place of the weights [species][weights][pad], made for the species that are asked for;
/// `folded` keeps that of others. Null where these numbers are not read.
template <class T>
const T* fold_product(const ProductBasis& p, int all_species, const std::vector<int>& wanted, const T* weights, int pad,
                      Buffer<T>& folded);

/// b [atoms][outputs] from x [atoms][components] with the weights of each species; rows are sorted by species,
/// segment[s] <= row < segment[s+1]. `weights` points at [species][weights][pad]; `folded` is what fold_product made of
/// them, for plain numbers (null: made here). Block l of x and b has degree l.
template <class A>
void product_forward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                     const Features<A>& x, const Features<A>& b, const typename A::Real* folded = nullptr);

/// g_x (written) from g_b; for duals adds to the weight gradient [species][weights][pad].
template <class A>
void product_backward(const ProductBasis& p, const std::vector<int>& segment, const typename A::Real* weights,
                      const Features<A>& x, const Features<A>& g_b, const Features<A>& g_x,
                      typename A::Real* weight_gradient, const typename A::Real* folded = nullptr);

}  // namespace isotrope
