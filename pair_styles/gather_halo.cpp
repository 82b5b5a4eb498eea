// SPDX-License-Identifier: GPL-2.0-only
#include "gather_halo.h"

#include <numeric>

namespace isotrope {

void GatherHalo::build(MPI_Comm world, int owned, const double* const* x, const int* type, std::span<const int> species,
                       Graph& graph) {
  world_ = world;
  MPI_Comm_rank(world, &me_);
  MPI_Comm_size(world, &ranks_);
  std::vector<int> atoms(ranks_);
  MPI_Allgather(&owned, 1, MPI_INT, atoms.data(), 1, MPI_INT, world);

  constexpr int width = 4;  // species and position
  mine_.clear();
  for (int i = 0; i < owned; ++i) {
    mine_.push_back(species[type[i]]);
    mine_.insert(mine_.end(), x[i], x[i] + 3);
  }
  const std::vector<int> sizes = scaled(atoms, width), first = starts(sizes);
  all_.resize(std::accumulate(sizes.begin(), sizes.end(), 0));
  MPI_Allgatherv(mine_.data(), width * owned, MPI_DOUBLE, all_.data(), sizes.data(), first.data(), MPI_DOUBLE, world);

  graph.owned = owned;
  graph.total = std::accumulate(atoms.begin(), atoms.end(), 0);
  graph.has_prefix = me_ == 0;
  graph.species.clear();
  graph.position.clear();
  places_.assign(ranks_, {});
  const auto add = [&](int rank) {
    for (int i = 0; i < atoms[rank]; ++i) {
      const double* atom = all_.data() + first[rank] + width * i;
      places_[rank].push_back(static_cast<int>(graph.species.size()));
      graph.species.push_back(static_cast<int>(atom[0]));
      graph.position.push_back({atom[1], atom[2], atom[3]});
    }
  };
  add(me_);
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank != me_) add(rank);
  }
  for (int k = 0; k < prefixes; ++k) places_[0].push_back(graph.total + k);
  counts_.clear();
  for (const auto& places : places_) counts_.push_back(static_cast<int>(places.size()));
  graph.graph.assign(owned, 0);
  graph.first.assign(owned + 1, 0);
  graph.neighbour.clear();
  graph.r.clear();
}

std::vector<int> GatherHalo::scaled(const std::vector<int>& counts, int width) const {
  std::vector<int> sizes = counts;
  for (int& size : sizes) size *= width;
  return sizes;
}

std::vector<int> GatherHalo::starts(const std::vector<int>& counts) const {
  std::vector<int> first(counts.size(), 0);
  std::partial_sum(counts.begin(), counts.end() - 1, first.begin() + 1);
  return first;
}

void GatherHalo::forward(Exchange& values) {
  if (ranks_ == 1) return;
  const std::vector<int> sizes = scaled(counts_, values.width()), first = starts(sizes);
  mine_.resize(sizes[me_]);
  all_.resize(std::accumulate(sizes.begin(), sizes.end(), 0));
  values.pack(places_[me_], mine_.data());
  MPI_Allgatherv(mine_.data(), sizes[me_], MPI_DOUBLE, all_.data(), sizes.data(), first.data(), MPI_DOUBLE, world_);
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank != me_) values.unpack(places_[rank], all_.data() + first[rank]);
  }
}

void GatherHalo::reverse(Exchange& values) {
  if (ranks_ == 1) return;
  std::vector<int> sizes = scaled(counts_, values.width());
  sizes[me_] = 0;
  const std::vector<int> first = starts(sizes);
  all_.resize(std::accumulate(sizes.begin(), sizes.end(), 0));
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank != me_) values.pack(places_[rank], all_.data() + first[rank]);
  }
  std::vector<int> back(ranks_, counts_[me_] * values.width());
  back[me_] = 0;
  const std::vector<int> back_first = starts(back);
  mine_.resize(std::accumulate(back.begin(), back.end(), 0));
  MPI_Alltoallv(all_.data(), sizes.data(), first.data(), MPI_DOUBLE, mine_.data(), back.data(), back_first.data(),
                MPI_DOUBLE, world_);
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank != me_) values.accumulate(places_[me_], mine_.data() + back_first[rank]);
  }
}

}  // namespace isotrope
