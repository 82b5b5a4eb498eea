// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <lammps/pair.h>

#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "layers/halo.hpp"

namespace isotrope {

/// The halo over LAMMPS's forward and reverse communication of a pair style. The pair style's pack and unpack functions
/// hand over to those of this class; which array travels is known for the length of a call.
///
/// A ghost that is a periodic image of an atom of this rank has nothing of its own: what its neighbours read is its
/// owner's, and what they leave goes there at once. Only images of other ranks' atoms hold copies.
class LammpsHalo final : public Halo {
 public:
  LammpsHalo(LAMMPS_NS::Pair* pair, LAMMPS_NS::Comm*& comm) : pair_(pair), comm_(comm) {}
  /// Before the first exchange of a step: finds the owners of ghosts. Every rank calls it.
  void set_atoms(int owned, int total);
  /// [total] of a ghost the atom of this rank that it is an image of; else the atom itself.
  std::span<const int> owner() const { return owner_; }

  void forward(Exchange& values) override;
  void reverse(Exchange& values) override;

  int pack_owned(int n, const int* atoms, double* out);
  void unpack_ghosts(int n, int first, const double* in);
  int pack_ghosts(int n, int first, double* out) const;
  void add_to_owners(int n, const int* atoms, const double* in);

 private:
  void exchange_owners(int owned);
  void send_to_ghosts(Exchange& values);
  /// The same places with owners in place of their images.
  std::span<const int> owners_of(int n, const int* atoms);
  /// f(ghosts, offset) for each run of ghosts in [first, first + n) with copies of their own, `offset` from `first`.
  template <class F>
  void for_copies(int n, int first, const F& f) const;
  std::span<const int> range(int first, int n) const { return {indices_.data() + first, static_cast<std::size_t>(n)}; }
  bool alone() const;  ///< one rank: all ghosts are images of its own atoms

  LAMMPS_NS::Pair* pair_;
  LAMMPS_NS::Comm*& comm_;  // LAMMPS replaces the object when the communication style changes
  Exchange* current_ = nullptr;
  std::vector<int> indices_;  // 0, 1, 2, ...: ghosts arrive as ranges, an Exchange takes lists
  std::vector<int> owner_, translated_;
};

/// Forces on ghosts on their way home: three numbers an atom.
class ForceExchange final : public Exchange {
 public:
  std::vector<Vec3> values;  ///< [total]
  int width() const override { return 3; }
  void pack(std::span<const int> atoms, double* out) const override;
  void unpack(std::span<const int> atoms, const double* in) override;
  void accumulate(std::span<const int> atoms, const double* in) override;
};

}  // namespace isotrope
