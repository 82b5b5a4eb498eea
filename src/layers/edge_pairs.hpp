// SPDX-License-Identifier: MIT
#pragma once
#include "layers/device_graph.hpp"

namespace isotrope {

/// Edges s -> t and t -> s with opposite vectors have one length, and what is a function of it alone, as radial
/// networks are, has to be evaluated once for both. Edges whose other direction the graph does not have (from ghosts,
/// or where rounding makes periodic images differ in the last digit) stay by themselves.
struct EdgePairs {
  long count = 0;                              ///< different lengths
  Buffer<int> of_edge{"isotrope::pairs::of"};  ///< [edges] which length
  Buffer<int> edge{"isotrope::pairs::edge"};   ///< [count] the first edge of each

  /// `with_tangent`: tangents must be opposite too.
  void build(const DeviceGraph& graph, bool with_tangent);
};

}  // namespace isotrope
