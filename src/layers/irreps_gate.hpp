// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/layout.hpp"

namespace isotrope {

enum class Activation { silu, tanh };

/// The gated non-linearity of equivariant networks (Weiler et al., NeurIPS 2018; e3nn's Gate): scalars pass through an
/// activation, every other block is multiplied by one scalar per channel that went through one. Activations are
/// normalised by the second moment: norm * f(x). Multiplicities may differ from block to block.
struct IrrepsGate {
  struct Block {
    int block;     ///< of the input and of the output
    int gate = 0;  ///< where the gates of a block of l > 0 start in the channels of input block 0
    Activation kind = Activation::silu;
  };
  Layout in;   ///< block 0: its scalars, then the gates of all blocks of l > 0, each padded by itself
  Layout out;  ///< the same blocks, without the gates
  std::vector<Block> blocks;
  double silu_norm = 1, tanh_norm = 1;
};

template <class A>
void irreps_gate_forward(const IrrepsGate& gate, const Features<A>& x, const Features<A>& y);

/// g_x from g_y; g_x may be x.
template <class A>
void irreps_gate_backward(const IrrepsGate& gate, const Features<A>& x, const Features<A>& g_y, const Features<A>& g_x);

}  // namespace isotrope
