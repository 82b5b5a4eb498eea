// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/layout.hpp"
#include "so3/tensor_product.hpp"

namespace isotrope {

struct CouplingTable;

/// The product basis whose couplings are powers of a function on the sphere (gaunt_power_couplings), evaluated on the
/// sphere grid (so3/grid_powers.hpp) and not term by term. Plain numbers, no weight gradient: energies and forces.
class SpherePowers {
 public:
  /// Null where the tables are others, or their `terms` so few that these are the faster way; on devices always.
  static std::shared_ptr<const SpherePowers> of(const std::vector<CouplingTable>& tables, int l_max, int terms);

  /// As product_forward and product_backward of product_basis.hpp. Weights of a species: [L][nu descending][pad].
  template <class T>
  void forward(const std::vector<int>& segment, const T* weights, const Features<Plain<T>>& x,
               const Features<Plain<T>>& b) const;
  template <class T>
  void backward(const std::vector<int>& segment, const T* weights, const Features<Plain<T>>& x,
                const Features<Plain<T>>& g_b, const Features<Plain<T>>& g_x) const;

 private:
  template <class T>
  std::vector<T> grid_weights(const std::vector<int>& segment, const T* weights, int pad) const;

  std::unique_ptr<TensorProduct> powers_;
  int L_max_ = 0, correlation_ = 0;
  std::vector<double> scale_;  ///< [L][nu descending]
};

}  // namespace isotrope
