// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <string>

#include "core/irreps.hpp"
#include "core/lane.hpp"

/// Equivariant bilinear products of irreps behind one interface; docs/tensor-products.md compares them.
namespace isotrope {

/// How features lie in memory. Blocks follow the irreps (each block once: copies are channels); channels are
/// contiguous, a multiple of the lane width and padded with zeros. With one channel, lanes run over the items:
/// [batch][component], the layout of e3nn.
enum class FeatureOrder {
  by_item,   ///< [item][component][value|tangent][channel]
  by_block,  ///< [block][item][m][value|tangent][channel], as in layers/layout.hpp
};

/// What is multiplied. x and y may be the same.
template <class A>
struct ProductInput {
  using T = typename A::Real;
  long items = 0;
  int channels = 0;  ///< stored ones
  const T* x = nullptr;
  const T* y = nullptr;
  /// Null: all ones. Else [weight][channel] without tangents, shared by the items; or, with item_weights,
  /// [item][weight][value|tangent][channel].
  const T* weights = nullptr;
  bool item_weights = false;
  bool one_channel_y = false;  ///< y is [item][component][value|tangent], the same for all channels ("uvu")
  FeatureOrder order = FeatureOrder::by_item;
};

/// Adjoints; those of x, y and weights are added to, a null is not wanted. The adjoint of shared weights is
/// [weight][channel], of duals the tangent alone (it is the gradient of a loss on forces, docs/theory.md); others lie
/// as what they are the adjoint of.
template <class A>
struct ProductAdjoint {
  using T = typename A::Real;
  const T* z = nullptr;
  T* x = nullptr;
  T* y = nullptr;
  T* weights = nullptr;
};

/// z_k = sum w_p B^p_kij x_i y_j, equivariant for all weights w: one per path (exact_product.hpp) or, where the paths
/// cannot be told apart, one for each block of x, of y and of z in this order. Immutable; may be shared by threads.
class TensorProduct {
 public:
  virtual ~TensorProduct() = default;

  const Irreps& first() const { return first_; }
  const Irreps& second() const { return second_; }
  const Irreps& out() const { return out_; }
  int weights() const { return weights_; }
  /// Multiplications of one product of one channel, counted in the loops as they run, and the numbers in its tables.
  long multiplications() const { return multiplications_; }
  long table_size() const { return table_size_; }

  /// z is written.
  virtual void forward(const ProductInput<Plain<float>>& in, float* z) const = 0;
  virtual void forward(const ProductInput<Plain<double>>& in, double* z) const = 0;
  virtual void forward(const ProductInput<WithTangent<float>>& in, float* z) const = 0;
  virtual void forward(const ProductInput<WithTangent<double>>& in, double* z) const = 0;

  virtual void backward(const ProductInput<Plain<float>>& in, const ProductAdjoint<Plain<float>>& g) const = 0;
  virtual void backward(const ProductInput<Plain<double>>& in, const ProductAdjoint<Plain<double>>& g) const = 0;
  virtual void backward(const ProductInput<WithTangent<float>>& in,
                        const ProductAdjoint<WithTangent<float>>& g) const = 0;
  virtual void backward(const ProductInput<WithTangent<double>>& in,
                        const ProductAdjoint<WithTangent<double>>& g) const = 0;

 protected:
  TensorProduct(Irreps first, Irreps second, Irreps out)
      : first_(std::move(first)), second_(std::move(second)), out_(std::move(out)) {}
  Irreps first_, second_, out_;
  int weights_ = 0;
  long multiplications_ = 0, table_size_ = 0;
};

/// Numbers per item and channel: sum of 2 l + 1.
int components(const Irreps& irreps);
/// 0e+1o+2e+...: the harmonics up to l_max.
Irreps harmonics_irreps(int l_max);

}  // namespace isotrope
