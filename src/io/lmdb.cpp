// SPDX-License-Identifier: MIT
#include "io/lmdb.hpp"

#include <lmdb.h>

#include <filesystem>
#include <utility>

#include "core/error.hpp"

namespace isotrope::lmdb {

namespace fs = std::filesystem;

namespace {

MDB_val as_value(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}
std::string_view as_text(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

}  // namespace

void File::check(int status) const {
  require(status != MDB_INVALID && status != MDB_VERSION_MISMATCH,
          "cannot open {}: expected an LMDB file, found other content", path_);
  require(status == MDB_SUCCESS, "{}: LMDB: {}", path_, mdb_strerror(status));
}

File File::open(const std::string& path) {
  require(fs::exists(path), "cannot open {}: file not found", path);
  require(!fs::is_directory(path), "cannot open {}: it is a folder; name the LMDB file itself", path);
  const std::uintmax_t size = fs::file_size(path);
  require(size > 0, "cannot open {}: the file is empty", path);
  File file(path);
  file.check(mdb_env_create(&file.environment_));
  // The file states the map of its writer, which may be terabytes; LMDB raises this where the pages in use need more.
  file.check(mdb_env_set_mapsize(file.environment_, size));
  file.check(mdb_env_open(file.environment_, path.c_str(), MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0644));
  file.check_complete();
  file.check(mdb_txn_begin(file.environment_, nullptr, MDB_RDONLY, &file.transaction_));
  file.check(mdb_dbi_open(file.transaction_, nullptr, 0, &file.table_));
  file.check(mdb_cursor_open(file.transaction_, file.table_, &file.cursor_));
  return file;
}

/// Pages beyond the end of the file would end the program when they are read, without a message.
void File::check_complete() const {
  MDB_envinfo info;
  MDB_stat stat;
  check(mdb_env_info(environment_, &info));
  check(mdb_env_stat(environment_, &stat));
  const std::uintmax_t found = fs::file_size(path_);
  const std::uintmax_t pages = found / stat.ms_psize;
  require(info.me_last_pgno < pages, "{}: truncated: expected {} pages of {} bytes, the file has {} bytes", path_,
          info.me_last_pgno + 1, stat.ms_psize, found);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)),
      environment_(std::exchange(other.environment_, nullptr)),
      transaction_(std::exchange(other.transaction_, nullptr)),
      cursor_(std::exchange(other.cursor_, nullptr)),
      table_(other.table_),
      started_(other.started_),
      ended_(other.ended_) {}

File::~File() {
  if (cursor_) mdb_cursor_close(cursor_);
  if (transaction_) mdb_txn_abort(transaction_);
  if (environment_) mdb_env_close(environment_);
}

std::int64_t File::entries() const {
  MDB_stat stat;
  check(mdb_stat(transaction_, table_, &stat));
  return static_cast<std::int64_t>(stat.ms_entries);
}

std::optional<std::string_view> File::get(std::string_view key) const {
  MDB_val name = as_value(key), value;
  const int status = mdb_get(transaction_, table_, &name, &value);
  if (status == MDB_NOTFOUND) return std::nullopt;
  check(status);
  return as_text(value);
}

std::optional<Entry> File::next() {
  if (ended_) return std::nullopt;
  MDB_val key, value;
  const int status = mdb_cursor_get(cursor_, &key, &value, started_ ? MDB_NEXT : MDB_FIRST);
  started_ = true;
  ended_ = status == MDB_NOTFOUND;
  if (ended_) return std::nullopt;
  check(status);
  return Entry{as_text(key), as_text(value)};
}

void File::skip(std::int64_t count) {
  for (std::int64_t i = 0; i < count && next(); ++i) {
  }
}

}  // namespace isotrope::lmdb
