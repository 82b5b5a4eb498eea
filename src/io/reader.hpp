// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "geometry/structure.hpp"

namespace isotrope {

/// A part of a file, counted in its entries (rows of OMol25, trajectories of PubChemQCR).
struct EntryRange {
  std::int64_t begin = 0, end = std::numeric_limits<std::int64_t>::max();
};

/// Which entries of a file are labels. A key that is not set means the usual spelling; "none" leaves the label out.
struct ReadOptions {
  std::optional<std::string> energy_key, forces_key, stress_key, virial_key, charge_key, multiplicity_key;
  double stress_sign = 1;  ///< -1: stresses in the file are positive under compression
  /// Text with {KEY} for entries of the frame; KEY alone may be missing, then the result is "".
  std::string config_type = "{config_type}";
  std::string group;
  /// For structures that have none in the file.
  std::optional<int> charge, multiplicity;
  std::string stage;   ///< of PubChemQCR: pm3, hf, DFT_1st, DFT_2nd
  EntryRange entries;  ///< for formats that can be read in parts
};

/// What is wrong with one entry of a file. The reader goes on with the one after it when next() is called again.
class EntryError : public Error {
 public:
  /// `text` is the whole message, `entry` the name of the entry: "key 17", "frame 3".
  EntryError(std::string entry, const std::string& text) : Error(text), entry_(std::move(entry)) {}
  const std::string& entry() const { return entry_; }

 private:
  std::string entry_;
};

/// Something that a reader counted: "energy from 'energy'" in 5 of 6 structures.
struct Finding {
  std::string text;
  std::int64_t count = 0, total = 0;  ///< total 0: nothing was counted
  std::string unit = "structures";
  bool only_if_any = false;  ///< not worth a line where the count is 0
  std::string line() const;
};

/// The lines of those that are worth one.
std::vector<std::string> lines_of(const std::vector<Finding>& findings);

/// A stream of structures from one file. A new format derives from it and adds a line to the table in reader.cpp.
class StructureReader {
 public:
  virtual ~StructureReader() = default;
  /// Fills in the next structure, checked by check_structure(); false at the end. Throws with file and place:
  /// EntryError for what is wrong with one entry, any other Error ends the reading.
  virtual bool next(Structure& structure) = 0;
  /// Part of the input that was read, 0 to 1.
  virtual double progress() const = 0;
  /// After the end: which entries were taken for which label. Throws where an entry that the options name never
  /// occurred.
  virtual std::vector<Finding> report() const = 0;
};

struct Format {
  const char* name;
  const char* help;
  std::vector<std::string> extensions;
  std::unique_ptr<StructureReader> (*open)(const std::string& path, const ReadOptions& options);
  std::int64_t (*count_entries)(const std::string& path) = nullptr;  ///< null: the file is read as a whole
  std::int64_t entries_per_part = 0;                                 ///< what a process converts in seconds
  bool folder = false;                                               ///< an input is a folder, not a file
};

const std::vector<Format>& formats();

/// The format by its name, or by the file's extension (folders: by the one format of folders) where the name is empty.
/// Throws: unknown.
const Format& format_of(const std::string& path, const std::string& name);

/// Throws: nothing there; a file where the format has folders, a folder where it has files.
void check_kind(const std::string& path, const Format& format);

/// A reader by the name of its format, or by the file's extension where the name is empty.
std::unique_ptr<StructureReader> open_reader(const std::string& path, const std::string& format,
                                             const ReadOptions& options);

/// Throws where the options name keys of labels, which a format with fixed places for them does not have; charge and
/// multiplicity may be named where `spin_keys` says so.
void refuse_keys(const ReadOptions& options, const std::string& path, const char* why, bool spin_keys = false);

/// Fills in {KEY} of a pattern such as "{temperature}K" from the entries of a structure, which `find` looks up. A
/// pattern that is nothing but {KEY} gives "" where there is no such entry; otherwise that throws, naming `option`.
std::string expand_pattern(const std::string& pattern,
                           const std::function<std::optional<std::string>(const std::string&)>& find,
                           const std::string& where, const char* option);

/// Throws unless the structure is one that a potential can learn from: atoms, known elements, finite positions and
/// labels, labels of the right size, a cell along periodic directions, a charge and multiplicity that agree with the
/// number of electrons. `where` begins the message ("water.xyz: frame 3 (line 17)").
void check_structure(const Structure& structure, const std::string& where);

}  // namespace isotrope
