// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/layout.hpp"
#include "layers/linear.hpp"
#include "layers/packed_linear.hpp"

/// Linear layers of equivariant features: a matrix for each degree l mixes its channels, all m alike.
namespace isotrope {

/// Matrices [block], packed for both ways.
template <class T>
using DegreeLinear = std::vector<PackedLinear<T>>;

/// Features from an atom on.
template <class A>
struct FromAtom {
  Features<A> features;
  long first = 0;
  int pad(int block) const { return features.layout.block[block].pad; }
  typename A::Real* rows(int block) const { return features.at(block, first, 0); }
  long count(int block, long atoms) const { return atoms * (2 * features.layout.block[block].l + 1); }
};

/// y = x W of `atoms` atoms, for the degrees that have a matrix; to the first `added` degrees of y it is added.
template <class A>
void degree_linear(const DegreeLinear<typename A::Real>& w, long atoms, const FromAtom<A>& x, const FromAtom<A>& y,
                   int added = 0) {
  for (int l = 0; l < static_cast<int>(w.size()); ++l) {
    multiply_packed<A>(w[l].forward, false, x.count(l, atoms), x.rows(l), x.pad(l), l < added ? y.rows(l) : nullptr,
                       y.rows(l), y.pad(l));
  }
}

/// g_x = g_y W^T, the same way.
template <class A>
void degree_linear_backward(const DegreeLinear<typename A::Real>& w, long atoms, const FromAtom<A>& g_y,
                            const FromAtom<A>& g_x, int added = 0) {
  for (int l = 0; l < static_cast<int>(w.size()); ++l) {
    multiply_packed<A>(w[l].backward, false, g_y.count(l, atoms), g_y.rows(l), g_y.pad(l),
                       l < added ? g_x.rows(l) : nullptr, g_x.rows(l), g_x.pad(l));
  }
}

/// The gradient of the matrices (linear_weight_gradient).
template <class A>
void degree_linear_gradient(const DegreeLinear<typename A::Real>& w, long atoms, const FromAtom<A>& x,
                            const FromAtom<A>& g_y, typename A::Real* weight_gradient) {
  for (int l = 0; l < static_cast<int>(w.size()); ++l) {
    linear_weight_gradient<A>(w[l].w, x.count(l, atoms), x.rows(l), x.pad(l), g_y.rows(l), g_y.pad(l), weight_gradient);
  }
}

}  // namespace isotrope
