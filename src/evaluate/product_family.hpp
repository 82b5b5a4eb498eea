// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "so3/tensor_product.hpp"

/// The tensor products side by side, with the measures of The Price of Freedom (Xie et al., ICML 2025).
namespace isotrope {

/// Which irreps are multiplied, up to L: one l each into one l; one l each into all l <= L; all into all.
enum class ProductSetting { siso, simo, mimo };

struct FamilyMember {
  const char* name;
  const char* help;
  int largest_l;  ///< what `isotrope tensor-products` measures
  /// Empty where the setting has no output that the product reaches.
  std::unique_ptr<TensorProduct> (*make)(ProductSetting setting, int L);
};
const std::vector<FamilyMember>& product_family();

/// What a product can express. Its maps are combinations of Clebsch-Gordan paths, sum over p of c_p(w) path_p (Schur);
/// the coefficients c are read off products of random blocks.
struct Expressivity {
  int paths = 0;         ///< from these inputs to these outputs
  int interactable = 0;  ///< paths with c_p(w) not identically zero
  int dimension = 0;     ///< rank of dc/dw at a random w: of the family of maps that the weights reach
  int span = 0;          ///< rank of c over many w: of the smallest linear space that holds the family
};
Expressivity expressivity(const TensorProduct& product);

/// |T(g x, g y) - g T(x, y)| / |T(x, y)|, worst of `rotations` random rotations, in single or double precision.
template <class T>
double rotation_error(const TensorProduct& product, int rotations);

}  // namespace isotrope
