// SPDX-License-Identifier: MIT
#pragma once
#include "layers/layout.hpp"

/// The gate of equivariant networks: scalars u = silu(v), higher degrees u = sigmoid(g) v with one gate g a channel,
/// the same for all degrees.
namespace isotrope {

/// What the linear layer before a gate leaves: values and gates of the scalars side by side, [atom][row][2 pad], biases
/// not yet added; and the values of higher degrees, in blocks l = 1 ... of `vectors`.
template <class A>
struct GateInput {
  typename A::Real* scalars;
  Features<A> vectors;           ///< blocks from l = 1 on
  const typename A::Real* bias;  ///< [2 pad]
};

/// u for all blocks of its layout.
template <class A>
void gate(const GateInput<A>& input, const Features<A>& u);

/// Writes the adjoint of `input` over it.
template <class A>
void gate_backward(const GateInput<A>& input, const Features<A>& g_u);

}  // namespace isotrope
