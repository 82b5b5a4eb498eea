// SPDX-License-Identifier: MIT
#pragma once

/// Inside isotrope: lengths in Å, energies in eV, forces in eV/Å, stress in eV/Å^3, charge in e, masses in u.
/// Constants: CODATA 2018.
namespace isotrope::units {

inline constexpr double hartree_in_ev = 27.211386245988;
inline constexpr double bohr_in_angstrom = 0.529177210903;
inline constexpr double kcal_per_mol_in_ev = 0.0433641153087705;
inline constexpr double boltzmann_in_ev_per_kelvin = 8.617333262e-5;
/// 1 eV/Å^3 in bar (LAMMPS units metal).
inline constexpr double ev_per_cubic_angstrom_in_bar = 1602176.634;

}  // namespace isotrope::units
