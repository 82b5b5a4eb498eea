// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/reader.hpp"

/// OMol25 and other `.aselmdb` files: data bases of ASE in LMDB, as the package ase-db-backends writes them. Keys "1",
/// "2", ...: zlib of a JSON object, one row; keys `nextid` and `deleted_ids` say which rows there are, `metadata` is
/// not read. Arrays are {"__ndarray__": [shape, type, flat list]} or plain lists. Source: ase/db/row.py,
/// ase/io/jsonio.py, ase_db_backends/aselmdb.py.
namespace isotrope {

/// Rows in the order of their ids, as ASE selects them. Labels: `energy` (eV), `forces` (eV/Å), `stress` (eV/Å^3, 6
/// numbers in Voigt order or 3x3); charge and multiplicity (2S+1) from `charge` and `spin` of the row's `data`, or the
/// keys that the options name; where a row has none, the option's value, else an error. {KEY} in --group and
/// --config-type: entries of `data` or of the row's key-value pairs ({data_id}, {source}), and {id}.
/// Forces are the raw ones of the calculator: ASE stores them before it applies constraints, and constraints are not
/// applied here. Cells along directions that are not periodic are left out.
std::unique_ptr<StructureReader> open_omol25(const std::string& path, const ReadOptions& options);

std::int64_t count_omol25(const std::string& path);

namespace omol25 {

/// What is counted while rows are read.
struct Counts {
  std::int64_t rows = 0, energy = 0, forces = 0, stress = 0, constraints = 0;
  std::int64_t charge = 0, multiplicity = 0;                ///< found in the row
  std::int64_t charge_filled = 0, multiplicity_filled = 0;  ///< from the options
};

/// Decodes rows; keeps its memory between them.
class RowDecoder {
 public:
  explicit RowDecoder(const ReadOptions& options);
  ~RowDecoder();
  /// Fills in the structure from a row; JsonScanner::padding zero bytes lie behind `json`. Throws, without saying
  /// where, for what is not such a row. The result is not checked by check_structure().
  void operator()(std::string_view json, std::int64_t id, Structure& structure);
  const Counts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace omol25
}  // namespace isotrope
