// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/pickle.hpp"
#include "io/reader.hpp"

/// PubChemQCR: relaxation trajectories of molecules. One LMDB file of many; key: the CID of PubChem, zero-padded to 9
/// digits; value: gzip of a pickled dict of stages {pm3, hf, DFT_1st, DFT_2nd} -> list of steps {coordinates: [{atom,
/// (charge,) x, y, z}], energy, gradient: [{atom, (charge,) dx, dy, dz}]}; Å, Hartree, Hartree/Bohr. The charge of an
/// atom is that of its nucleus, as the quantum chemistry program prints it, and is not read. Source: DATABASE.md of
/// divelab/AIRS, OpenMol/TDN.
namespace isotrope {

/// The steps of the stage `options.stage`, in the order of the keys and then of the steps; group: the key (unless
/// --group says otherwise; {cid}), config_type: the stage, step: its place in the trajectory. Steps without energy or
/// gradient, and stages that are missing or None, are left out and counted. There is no total charge and no
/// multiplicity in the files: they come from the options, or the structures have none.
std::unique_ptr<StructureReader> open_pubchemqcr(const std::string& path, const ReadOptions& options);

std::int64_t count_pubchemqcr(const std::string& path);

namespace pubchemqcr {

/// One step as it is in the file. Positions in Å are the file's; energy and forces are converted with CODATA 2018
/// (core/units.hpp). False: energy or gradient are None or absent. Throws, without saying where, for another shape.
bool read_step(const pickle::Document& document, const pickle::Value& step, Structure& structure);

/// The list of steps of a stage; None where it is absent.
pickle::Value find_stage(const pickle::Document& document, const pickle::Value& entry, std::string_view stage);

}  // namespace pubchemqcr
}  // namespace isotrope
