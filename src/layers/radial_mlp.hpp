// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/linear.hpp"

namespace isotrope {

/// y = norm * silu(x), elementwise over rows [n][row][width]; norm makes the second moment one (e3nn's normalize2mom).
template <class A>
void activate(long n, int width, double norm, const typename A::Real* x, typename A::Real* y);
/// gx = gy * norm * silu'(x); gx may be gy.
template <class A>
void activate_backward(long n, int width, double norm, const typename A::Real* x, const typename A::Real* gy,
                       typename A::Real* gx);

/// The radial network: linear layers without bias, silu between them, none after the last. Rows are edges.
class RadialMlp {
 public:
  std::vector<Matrix> layers;  ///< hidden widths are padded to lanes, the input is not
  double activation_norm = 1;

  /// Pre-activations and activations of the hidden layers, [edges][row][width] each.
  template <class A>
  struct Scratch {
    std::vector<Buffer<typename A::Real>> before, after;
    Buffer<typename A::Real> gradient, gradient_next;
  };

  /// `factor` [edges] multiplies the output of its edge (null: none). It acts on the last hidden layer, which is
  /// narrower than the output and comes to the same.
  template <class A>
  void forward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
               typename A::Real* output, const typename A::Num* factor = nullptr) const;

  /// From the adjoint of the output: the adjoint of the input (added; skipped where null), for duals weight gradients,
  /// for plain numbers the adjoint of the factor (added to g_factor [edges]).
  template <class A>
  void backward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
                const typename A::Real* g_output, typename A::Real* g_input, typename A::Real* weight_gradient,
                const typename A::Num* factor = nullptr, double* g_factor = nullptr) const;
};

}  // namespace isotrope
