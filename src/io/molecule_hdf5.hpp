// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <string>

#include "io/reader.hpp"

/// HDF5 files with a group a molecule, which holds many conformations of it: SPICE and ANI. An entry is a molecule.
/// Units are those of the attribute `units` of a member, where it has one; otherwise those of the format. Total charge
/// and multiplicity from members of that name, from those that the options name, or from the options; --charge-key of a
/// text member takes the sum of the formal charges of the SMILES in it.
namespace isotrope {

/// SPICE: atomic_numbers [n], conformations [c, n, 3] in Bohr, dft_total_energy [c] in Hartree, dft_total_gradient
/// [c, n, 3] in Hartree/Bohr. Source: openmm/spice-dataset.
std::unique_ptr<StructureReader> open_spice(const std::string& path, const ReadOptions& options);
std::int64_t count_spice(const std::string& path);

/// ANI-1x: atomic_numbers [n], coordinates [c, n, 3] in Å, wb97x_dz.energy [c] in Hartree, wb97x_dz.forces [c, n, 3] in
/// Hartree/Å; NaN: not computed. Source: Smith et al., Sci. Data 7, 134 (2020). TorchANI's data sets (ANI-2x): species
/// [c, n], coordinates, energies, forces, same units.
std::unique_ptr<StructureReader> open_ani(const std::string& path, const ReadOptions& options);
std::int64_t count_ani(const std::string& path);

/// Sum of the formal charges in a SMILES: of [NH4+], [O-], [Fe+2], [Ca++]. Throws for a bracket that does not close.
int charge_of_smiles(const std::string& smiles, const std::string& where);

}  // namespace isotrope
