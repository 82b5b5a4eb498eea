// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>

#include "geometry/graph.hpp"

namespace isotrope {

/// What the last evaluate() in a workspace has left that the gradient of a loss on the same batch need not compute
/// again.
class Evaluated {
 public:
  enum class What {
    nothing,
    forward,  ///< the forward pass, in the arrays of a plain pass
    values    ///< in those of a dual pass, the values of what linear layers make and of their adjoints
  };
  /// Whether it is worth leaving anything: gradients have been asked for.
  bool wanted() const { return wanted_; }
  /// `version` counts changes of what evaluate() computes with.
  void leave(What what, const Graph& graph, std::uint64_t version) {
    what_ = what;
    version_ = version;
    if (what != What::nothing) graph_ = graph;
  }
  /// What there is for a gradient on this batch; after it there is nothing.
  What take(const Graph& graph, std::uint64_t version) {
    const bool same = what_ != What::nothing && version_ == version && graph_ == graph;
    const What found = same ? what_ : What::nothing;
    what_ = What::nothing;
    wanted_ = true;
    return found;
  }

 private:
  bool wanted_ = false;
  What what_ = What::nothing;
  std::uint64_t version_ = 0;
  Graph graph_;
};

}  // namespace isotrope
