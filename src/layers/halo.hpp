// SPDX-License-Identifier: MIT
#pragma once
#include <span>

namespace isotrope {

/// A per-atom array that a layer shows to the halo. Atoms are the graph's indices (LAMMPS's local indices), owned and
/// ghosts. Two floats travel in one double; only live channels travel.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual int width() const = 0;  ///< doubles per atom
  virtual void pack(std::span<const int> atoms, double* out) const = 0;
  virtual void unpack(std::span<const int> atoms, const double* in) = 0;      ///< overwrites
  virtual void accumulate(std::span<const int> atoms, const double* in) = 0;  ///< adds
};

/// How values move between the owner of an atom and its ghosts. Calls are collective: every rank makes the same ones,
/// in the same order, also without atoms.
class Halo {
 public:
  virtual ~Halo() = default;
  virtual void forward(Exchange& values) = 0;  ///< owned -> ghosts
  virtual void reverse(Exchange& values) = 0;  ///< ghosts added onto their owners
};

/// Training and single structures: there are no ghosts.
class NoHalo final : public Halo {
 public:
  void forward(Exchange&) override {}
  void reverse(Exchange&) override {}
};

}  // namespace isotrope
