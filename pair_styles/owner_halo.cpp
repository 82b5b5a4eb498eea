// SPDX-License-Identifier: GPL-2.0-only
#include "owner_halo.h"

#include <algorithm>
#include <numeric>

namespace isotrope {
namespace {

constexpr int tag = 1907;  // of our messages: fixes may have their own under way

MPI_Datatype type_of(int) {
  return MPI_INT;
}
MPI_Datatype type_of(double) {
  return MPI_DOUBLE;
}

/// Room that stays when less is asked for.
double* reserve(std::vector<double>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

}  // namespace

void OwnerHalo::build(MPI_Comm world, int owned, std::span<const double> home) {
  world_ = world;
  MPI_Comm_rank(world, &me_);
  owned_ = owned;
  number(home);
  find_partners();
}

void OwnerHalo::number(std::span<const double> home) {
  foreign_.clear();
  for (const double ghost : home.subspan(owned_)) {
    if (Home(ghost).rank != me_) foreign_.push_back(ghost);
  }
  std::sort(foreign_.begin(), foreign_.end());
  foreign_.erase(std::unique(foreign_.begin(), foreign_.end()), foreign_.end());
  place_.resize(home.size());
  std::iota(place_.begin(), place_.begin() + owned_, 0);
  for (std::size_t i = owned_; i < home.size(); ++i) {
    const auto found = [&] { return std::lower_bound(foreign_.begin(), foreign_.end(), home[i]) - foreign_.begin(); };
    const Home h(home[i]);
    place_[i] = h.rank == me_ ? h.index : owned_ + static_cast<int>(found());
  }
  theirs_.resize(foreign_.size());
  std::iota(theirs_.begin(), theirs_.end(), owned_);
}

/// Who reads whom need not be mutual: a rank without atoms may see ghosts and has none to show.
void OwnerHalo::find_partners() {
  int ranks = 0;
  MPI_Comm_size(world_, &ranks);
  partners_.clear();
  mine_.clear();
  if (ranks == 1) return;
  std::vector<int> reads(ranks, 0), shows(ranks, 0);
  for (const double ghost : foreign_) ++reads[Home(ghost).rank];
  MPI_Alltoall(reads.data(), 1, MPI_INT, shows.data(), 1, MPI_INT, world_);
  int mine = 0, theirs = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    if (reads[rank] == 0 && shows[rank] == 0) continue;
    partners_.push_back({rank, {mine, shows[rank]}, {theirs, reads[rank]}});
    mine += shows[rank];
    theirs += reads[rank];
  }
  mine_.resize(mine);
  ask_owners();
}

/// Tells each owner which of its atoms are read here, and hears what others read.
void OwnerHalo::ask_owners() {
  wanted_.clear();
  for (const double ghost : foreign_) wanted_.push_back(Home(ghost).index);
  trade(1, wanted_.data(), &Partner::theirs, mine_.data(), &Partner::mine);
}

void OwnerHalo::forward(Exchange& values) {
  if (!partners_.empty()) values.unpack(theirs_, carry(values, mine_, &Partner::mine, theirs_, &Partner::theirs));
}

void OwnerHalo::reverse(Exchange& values) {
  if (!partners_.empty()) values.accumulate(mine_, carry(values, theirs_, &Partner::theirs, mine_, &Partner::mine));
}

/// What the partners have packed for the places `to`, while they get what is at `from` here.
const double* OwnerHalo::carry(const Exchange& values, const std::vector<int>& from, Range Partner::*sent,
                               const std::vector<int>& to, Range Partner::*received) {
  const int width = values.width();
  double *out = reserve(out_, from.size() * width), *in = reserve(in_, to.size() * width);
  values.pack(from, out);
  trade(width, out, sent, in, received);
  return in;
}

/// One message each way with every partner that has something to say, `width` numbers an atom.
template <class T>
void OwnerHalo::trade(int width, const T* out, Range Partner::*sent, T* in, Range Partner::*received) {
  requests_.clear();
  const auto begin = [&](const Range& range) { return static_cast<std::size_t>(range.first) * width; };
  for (const Partner& p : partners_) {
    const Range &to = p.*sent, &from = p.*received;
    if (from.count > 0) {
      MPI_Irecv(in + begin(from), from.count * width, type_of(T()), p.rank, tag, world_, &requests_.emplace_back());
    }
    if (to.count > 0) {
      MPI_Isend(out + begin(to), to.count * width, type_of(T()), p.rank, tag, world_, &requests_.emplace_back());
    }
  }
  MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
}

void ForceExchange::pack(std::span<const int> atoms, double* out) const {
  for (int i : atoms)
    for (int a = 0; a < 3; ++a) *out++ = values[i][a];
}

void ForceExchange::unpack(std::span<const int> atoms, const double* in) {
  for (int i : atoms)
    for (int a = 0; a < 3; ++a) values[i][a] = *in++;
}

void ForceExchange::accumulate(std::span<const int> atoms, const double* in) {
  for (int i : atoms)
    for (int a = 0; a < 3; ++a) values[i][a] += *in++;
}

}  // namespace isotrope
