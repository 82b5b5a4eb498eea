// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <string>

#include "io/reader.hpp"

namespace isotrope {

/// Folders of DeePMD-kit: a system is a folder with type.raw, type_map.raw and set.*/coord.npy, box.npy, energy.npy,
/// force.npy, virial.npy, or real_atom_types.npy where its frames have different elements; an input is a system or a
/// folder of systems. Å, eV, eV/Å; the virial in eV, stress = -virial / V. Source: DeePMD-kit's documentation, pages
/// System and Formats of a system; the sign of the stress is that of its interface to ASE. An entry is a frame.
std::unique_ptr<StructureReader> open_deepmd(const std::string& path, const ReadOptions& options);

std::int64_t count_deepmd(const std::string& path);

}  // namespace isotrope
