// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "geometry/structure.hpp"

namespace isotrope {

/// Which entries of a file are labels. A key that is not set means the usual spelling; "none" leaves the label out.
struct ReadOptions {
  std::optional<std::string> energy_key, forces_key, stress_key, virial_key, charge_key, multiplicity_key;
  double stress_sign = 1;  ///< -1: stresses in the file are positive under compression
  /// Text with {KEY} for entries of the frame; KEY alone may be missing, then the result is "".
  std::string config_type = "{config_type}";
  std::string group;
};

/// A stream of structures from one file. A new format derives from it and adds a line to the table in reader.cpp.
class StructureReader {
 public:
  virtual ~StructureReader() = default;
  /// Fills in the next structure, checked by check_structure(); false at the end. Throws with file and place.
  virtual bool next(Structure& structure) = 0;
  /// Part of the input that was read, 0 to 1.
  virtual double progress() const = 0;
  /// After the end: which entries were taken for which label, one line each. Throws where an entry that the options
  /// name never occurred.
  virtual std::vector<std::string> report() const = 0;
};

struct Format {
  const char* name;
  const char* help;
  std::vector<std::string> extensions;
  std::unique_ptr<StructureReader> (*open)(const std::string& path, const ReadOptions& options);
};

const std::vector<Format>& formats();

/// A reader by the name of its format, or by the file's extension where the name is empty.
std::unique_ptr<StructureReader> open_reader(const std::string& path, const std::string& format,
                                             const ReadOptions& options);

/// Throws unless the structure is one that a potential can learn from: atoms, known elements, finite positions and
/// labels, labels of the right size, a cell along periodic directions, a charge and multiplicity that agree with the
/// number of electrons. `where` begins the message ("water.xyz: frame 3 (line 17)").
void check_structure(const Structure& structure, const std::string& where);

}  // namespace isotrope
