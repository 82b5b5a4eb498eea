// SPDX-License-Identifier: MIT
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/vec3.hpp"

namespace isotrope {

/// One structure with its labels, as readers deliver it. Units: Å, eV, eV/Å, eV/Å^3, e.
struct Structure {
  std::vector<int> numbers;     ///< atomic numbers Z
  std::vector<Vec3> positions;  ///< Å
  Mat3 cell{};                  ///< rows are lattice vectors, Å; zero where not periodic
  std::array<bool, 3> periodic{};

  std::optional<double> energy;  ///< total energy, eV
  std::vector<Vec3> forces;      ///< empty: not labelled
  /// Symmetric, sigma = (1/V) dE/d(strain), eV/Å^3: positive under tension (the sign of ASE; LAMMPS's pressure is minus
  /// its trace / 3).
  std::optional<Mat3> stress;
  std::optional<int> charge;        ///< total charge, e
  std::optional<int> multiplicity;  ///< 2S+1
  std::string config_type;          ///< as in the file, "" where absent
  std::string group;                ///< trajectory, CID or similar: what a split must not cut, "" where absent
  std::optional<int> step;          ///< place in its trajectory, from 0
  std::string split;                ///< set that it belongs to ("train", "validation", "test"), "" where none is said
  double weight = 1;                ///< of the whole structure in the loss

  int size() const { return static_cast<int>(numbers.size()); }
};

/// One atom, periodic in no direction.
inline bool is_isolated_atom(const Structure& s) {
  return s.size() == 1 && !s.periodic[0] && !s.periodic[1] && !s.periodic[2];
}

}  // namespace isotrope
