// SPDX-License-Identifier: GPL-2.0-only
#include "lammps_halo.h"

#include <lammps/comm.h>

namespace isotrope {

void LammpsHalo::set_atoms(int total) {
  for (int i = static_cast<int>(indices_.size()); i < total; ++i) indices_.push_back(i);
}

void LammpsHalo::forward(Exchange& values) {
  current_ = &values;
  comm_->forward_comm(pair_, values.width());
  current_ = nullptr;
}

void LammpsHalo::reverse(Exchange& values) {
  current_ = &values;
  comm_->reverse_comm(pair_, values.width());
  current_ = nullptr;
}

int LammpsHalo::pack_owned(int n, const int* atoms, double* out) const {
  current_->pack({atoms, static_cast<std::size_t>(n)}, out);
  return n * current_->width();
}

void LammpsHalo::unpack_ghosts(int n, int first, const double* in) {
  current_->unpack(range(first, n), in);
}

int LammpsHalo::pack_ghosts(int n, int first, double* out) const {
  current_->pack(range(first, n), out);
  return n * current_->width();
}

void LammpsHalo::add_to_owners(int n, const int* atoms, const double* in) {
  current_->accumulate({atoms, static_cast<std::size_t>(n)}, in);
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
