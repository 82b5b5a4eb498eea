// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <mpi.h>

#include <span>
#include <vector>

#include "geometry/graph.hpp"
#include "layers/halo.hpp"

namespace isotrope {

/// For a model that sees the whole molecule: every rank has, beside its own atoms, a copy of all others, rank by rank.
/// What a structure has once (prefix tokens, at the places graph.total and graph.total + 1) belongs to the first rank.
class GatherHalo final : public Halo {
 public:
  /// Owned atoms, then those of the other ranks: species and positions. Every rank calls it.
  void build(MPI_Comm world, int owned, const double* const* x, const int* type, std::span<const int> species,
             Graph& graph);

  void forward(Exchange& values) override;
  void reverse(Exchange& values) override;  ///< in the order of the ranks

 private:
  static constexpr int prefixes = 2;
  std::vector<int> scaled(const std::vector<int>& counts, int width) const;
  std::vector<int> starts(const std::vector<int>& counts) const;

  MPI_Comm world_ = MPI_COMM_NULL;
  int me_ = 0, ranks_ = 1;
  std::vector<std::vector<int>> places_;  ///< [ranks] of what a rank owns, in this rank's graph
  std::vector<int> counts_;               ///< [ranks] how many those are
  std::vector<double> mine_, all_;
};

}  // namespace isotrope
