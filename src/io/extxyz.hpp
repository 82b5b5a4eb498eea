// SPDX-License-Identifier: MIT
#pragma once
#include <cstdio>
#include <memory>
#include <string>

#include "core/atomic_file.hpp"
#include "io/reader.hpp"

/// Extended xyz: frames of an atom count, a line of KEY=VALUE pairs and a line per atom whose columns `Properties`
/// names.
namespace isotrope {

/// Columns in any order: the species as symbol or atomic number (`species`, or `Z`, `numbers`), `pos` (or `positions`),
/// forces under the forces key; others are passed over. Without `pbc` a frame with a `Lattice` is periodic in all
/// directions, one without is in none. Labels: `energy`, `forces` or `force`, `stress` (3x3, or 6 in Voigt order xx yy
/// zz yz xz xy, eV/Å^3), `virial` (eV, stress = -virial / V), `charge` or `total_charge`, `multiplicity` (2S+1),
/// `weight`. An entry that looks like one of these labels but is spelled otherwise, and that the options do not name,
/// is an error. Every error names the file, the frame (from 0) and the line (from 1).
std::unique_ptr<StructureReader> open_extxyz(const std::string& path, const ReadOptions& options);

/// Writes frames that open_extxyz() and ASE read back to the last digit.
class ExtxyzWriter {
 public:
  explicit ExtxyzWriter(const std::string& path);
  ~ExtxyzWriter();
  void add(const Structure& structure);
  void commit();

 private:
  AtomicFile target_;
  std::FILE* file_;
};

}  // namespace isotrope
