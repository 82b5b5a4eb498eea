// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

#include "io/conversion.hpp"

/// The parts of a conversion and the folder that holds the finished ones.
namespace isotrope::conversion {

struct Part {
  std::string file;
  EntryRange entries;  ///< the whole file where it has no countable entries
};

/// What is known of a finished part, beside its structures.
struct PartRecord {
  std::int64_t structures = 0;
  std::vector<Finding> findings;
  std::vector<std::string> rejected;  ///< messages, which name file and entry
};

/// All ranks make the same.
std::vector<Part> plan_parts(const ConversionRequest& request);

/// OUTPUT.parts: state.json says which conversion this is; part 17 is done when 000017.json is there, and has
/// 000017.h5 unless it has no structures. Both appear whole or not at all.
class PartFolder {
 public:
  explicit PartFolder(const std::string& output) : path_(output + ".parts") {}
  /// Makes the folder, or checks that it is of the same conversion and clears away what a killed run left half
  /// written. Root only. Says how many parts are done.
  int begin(const ConversionRequest& request, const std::vector<Part>& parts) const;

  std::string structures_path(int part) const;
  std::string joined_path(const std::string& extension) const { return path_ + "/joined" + extension; }
  bool is_done(int part) const;
  PartRecord record(int part) const;
  void write_record(int part, const PartRecord& record) const;
  void remove() const;
  bool remove_if_nothing_is_done() const;  ///< whether it is gone
  const std::string& path() const { return path_; }

 private:
  std::string record_path(int part) const;
  std::string path_;
};

}  // namespace isotrope::conversion
