// SPDX-License-Identifier: MIT
#pragma once
#include <string>

namespace isotrope {

/// A file that appears whole or not at all: written under a temporary name in the same folder, renamed by commit(),
/// removed if this object goes without it. What was at `path` before stays until the commit.
class AtomicFile {
 public:
  /// Throws where the folder does not exist or cannot be written.
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& temporary() const { return temporary_; }  ///< write here, close, then commit
  /// Throws where the file cannot be renamed. `durable`: on disk before what was there is replaced, so that a power cut
  /// leaves one of the two; without it only the end of the program is survived.
  void commit(bool durable = true);

 private:
  std::string path_, temporary_;
};

/// Makes a folder, and those above it; throws where that is not possible.
void make_folder(const std::string& path);

/// A text file written in one go, by way of AtomicFile.
void write_text_file(const std::string& path, const std::string& text);

}  // namespace isotrope
