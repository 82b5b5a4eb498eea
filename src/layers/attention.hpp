// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "core/kokkos_ext.hpp"
#include "core/lane.hpp"

/// Attention of every token of a structure to every token of it (Vaswani et al. 2017), head by head:
///
///   o_i = sum_j p_ij v_j,   p_i = softmax over j of q_i . k_j
///
/// (the factor 1/sqrt(D) lies in the weights of q). Where rows of p are no longer than a token's key and value in a
/// head, they are kept for the way back. Else only a block of rows exists at a time, and the way back computes it
/// again. Sums of products are matrix products, for duals three in place of one, or two where the values are there.
namespace isotrope {

struct HeadShape {
  int heads = 1;
  int size = 6;  ///< channels of a head, D
  int width() const { return heads * size; }
};

/// Queries [query_begin, query_end) attend to keys [key_begin, key_end): one structure.
struct AttentionRange {
  long query_begin, query_end, key_begin, key_end;
};

/// Of one layer: what forward leaves, backward takes.
template <class T>
struct AttentionScratch {
  Buffer<T> weights;    ///< of all heads or a block of one, [query][row][padded keys]
  Buffer<T> g_weights;  ///< a block of one head
};

/// Rows of kv that must be there beyond the last key; what is in them does not matter.
template <class T>
inline constexpr int spare_keys = lane_width<T> - 1;

/// Whether a pass on duals finds the values of everything below where a pass on InDuals has computed them, with the
/// same scratch, and forms tangents alone.
enum class Values : bool { computed, there };

/// q, o [query][row][heads D]; kv [key][row][2 heads D]: the keys of all heads, then their values, then spare_keys. o
/// is written.
template <class A>
void attention_forward(const HeadShape& shape, const std::vector<AttentionRange>& ranges, Values values,
                       const typename A::Real* q, const typename A::Real* kv,
                       AttentionScratch<typename A::Real>& scratch, typename A::Real* o);

/// g_q and g_kv are written; after attention_forward of the same.
template <class A>
void attention_backward(const HeadShape& shape, const std::vector<AttentionRange>& ranges, Values values,
                        const typename A::Real* q, const typename A::Real* kv, const typename A::Real* g_o,
                        AttentionScratch<typename A::Real>& scratch, typename A::Real* g_q, typename A::Real* g_kv);

}  // namespace isotrope
