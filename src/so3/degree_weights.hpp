// SPDX-License-Identifier: MIT
#pragma once
#include "so3/product_driver.hpp"

namespace isotrope {

/// A core with one weight per block of x, y and z around a product that has none:
///   Inner: template <class A> void forward(const Vec* x, const Vec* y, Vec* z) const;
///          template <class A> void backward(const Vec* x, const Vec* y, const Vec* g_z, Vec* g_x, Vec* g_y) const;
/// backward adds.
template <class Inner>
struct DegreeWeighted {
  static constexpr bool writes_directly = false;
  Inner inner;
  ProductBlocks first, second, out;

  template <class Source>
  explicit DegreeWeighted(const Source& s) : inner(s), first(s.first), second(s.second), out(s.out) {}

  /// out_k = w_(first_weight + block) x_k
  template <class W, class Vec>
  KOKKOS_INLINE_FUNCTION static void scale(const ProductBlocks& blocks, const W& w, int first_weight, const Vec* x,
                                           Vec* out) {
    for (int b = 0; b < blocks.blocks; ++b) {
      for (int k = blocks.begin(b); k < blocks.begin(b + 1); ++k) out[k] = w.times(first_weight + b, x[k]);
    }
  }
  template <class W, class Vec>
  KOKKOS_INLINE_FUNCTION static void add_weight_adjoint(const ProductBlocks& blocks, const W& g_w, int first_weight,
                                                        const Vec* x, const Vec* g) {
    for (int b = 0; b < blocks.blocks; ++b) {
      int k = blocks.begin(b);
      Vec sum = x[k] * g[k];
      for (++k; k < blocks.begin(b + 1); ++k) sum += x[k] * g[k];
      g_w.add(first_weight + b, sum);
    }
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void forward(const typename A::Vec* x, const typename A::Vec* y, const W& w,
                                      const Z& z) const {
    if (!w.any()) return inner.template forward<A>(x, y, z.data);
    typename A::Vec scaled_x[product_inputs_limit], scaled_y[product_inputs_limit];
    scale(first, w, 0, x, scaled_x);
    scale(second, w, first.blocks, y, scaled_y);
    inner.template forward<A>(scaled_x, scaled_y, z.data);
    scale(out, w, first.blocks + second.blocks, z.data, z.data);
  }

  template <class A, class W, class Z>
  KOKKOS_INLINE_FUNCTION void backward(const typename A::Vec* x, const typename A::Vec* y, const W& w, const Z& g_z,
                                       typename A::Vec* g_x, typename A::Vec* g_y, const W* g_w) const {
    using Vec = typename A::Vec;
    if (!w.any() && !g_w) return inner.template backward<A>(x, y, g_z.data, g_x, g_y);
    Vec scaled_x[product_inputs_limit], scaled_y[product_inputs_limit], scaled_g[product_outputs_limit];
    Vec of_x[product_inputs_limit], of_y[product_inputs_limit];
    const int out_weight = first.blocks + second.blocks;
    scale(first, w, 0, x, scaled_x);
    scale(second, w, first.blocks, y, scaled_y);
    scale(out, w, out_weight, g_z.data, scaled_g);
    for (int k = 0; k < first.size; ++k) of_x[k] = A::zero();
    for (int k = 0; k < second.size; ++k) of_y[k] = A::zero();
    inner.template backward<A>(scaled_x, scaled_y, scaled_g, of_x, of_y);
    if (g_w) {
      add_weight_adjoint(first, *g_w, 0, x, of_x);
      add_weight_adjoint(second, *g_w, first.blocks, y, of_y);
      inner.template forward<A>(scaled_x, scaled_y, scaled_g);  // what the weights of z multiply
      add_weight_adjoint(out, *g_w, out_weight, g_z.data, scaled_g);
    }
    scale(first, w, 0, of_x, of_x);
    scale(second, w, first.blocks, of_y, of_y);
    for (int k = 0; k < first.size; ++k) g_x[k] += of_x[k];
    for (int k = 0; k < second.size; ++k) g_y[k] += of_y[k];
  }
};

}  // namespace isotrope
