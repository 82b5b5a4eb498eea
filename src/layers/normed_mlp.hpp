// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/linear.hpp"

namespace isotrope {

/// A radial network with layer norms: hidden layers y = silu(LN(x W + b)), LN the layer norm over the width (Ba, Kiros,
/// Hinton 2016; eps 1e-5) with gain and shift, then a linear layer without bias plus an offset. Rows are edges.
class NormedMlp {
 public:
  struct Hidden {
    Matrix linear;                              ///< sides padded to lanes
    int width = 0;                              ///< live outputs
    std::size_t bias = 0, gain = 0, shift = 0;  ///< where they lie, [linear.out] each
  };
  std::vector<Hidden> hidden;
  Matrix last;
  std::size_t offset = 0;  ///< [last.out]

  /// Before the norm (without bias) and after the activation of each hidden layer, [edges][row][width].
  template <class A>
  struct Scratch {
    std::vector<Buffer<typename A::Real>> before, after;
    Buffer<typename A::Real> gradient, gradient_next;
  };

  /// output [edges][row][last.out] from input [edges][row][hidden[0].linear.in].
  template <class A>
  void forward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
               typename A::Real* output) const;

  /// From the adjoint of the output: that of the input (written; not formed where null), and the weight gradients
  /// (added; none where null). `scratch` is that of forward.
  template <class A>
  void backward(const typename A::Real* weights, long edges, const typename A::Real* input, Scratch<A>& scratch,
                const typename A::Real* g_output, typename A::Real* g_input, typename A::Real* weight_gradient) const;
};

}  // namespace isotrope
