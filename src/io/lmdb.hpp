// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

/// LMDB files (one file, not a folder), read only: lmdb.cpp is the only file that calls its library. No lock file is
/// made, so they may lie in a folder that cannot be written. Values stay where they are mapped; nothing is copied.
namespace isotrope::lmdb {

struct Entry {
  std::string_view key, value;
};

class File {
 public:
  /// Throws: not found, a folder, not LMDB, shorter than its own table of pages says (a truncated copy).
  static File open(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  const std::string& path() const { return path_; }
  std::int64_t entries() const;
  std::optional<std::string_view> get(std::string_view key) const;
  /// Walks the entries in the order of their keys; the first call gives the first. Empty at the end.
  std::optional<Entry> next();
  /// Passes over `count` entries without touching their values.
  void skip(std::int64_t count);

 private:
  explicit File(std::string path) : path_(std::move(path)) {}
  void check(int status) const;
  void check_complete() const;

  std::string path_;
  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  unsigned table_ = 0;
  bool started_ = false, ended_ = false;
};

}  // namespace isotrope::lmdb
