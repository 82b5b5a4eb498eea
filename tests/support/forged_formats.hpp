// SPDX-License-Identifier: MIT
#pragma once
#include <gtest/gtest.h>
#include <libdeflate.h>
#include <lmdb.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "io/inflate.hpp"
#include "support/mutated.hpp"

/// Pieces of files of OMol25 and PubChemQCR, right and wrong ones.
namespace isotrope::testing {

inline std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::string compress(const std::string& text, Inflater::Wrapper wrapper) {
  libdeflate_compressor* state = libdeflate_alloc_compressor(6);
  std::string result(libdeflate_gzip_compress_bound(state, text.size()) + 100, '\0');
  const auto function = wrapper == Inflater::Wrapper::gzip ? libdeflate_gzip_compress : libdeflate_zlib_compress;
  result.resize(function(state, text.data(), text.size(), result.data(), result.size()));
  libdeflate_free_compressor(state);
  return result;
}

inline void write_lmdb(const std::string& path, const std::map<std::string, std::string>& entries) {
  MDB_env* environment;
  MDB_txn* transaction;
  MDB_dbi table;
  ASSERT_EQ(mdb_env_create(&environment), 0);
  ASSERT_EQ(mdb_env_set_mapsize(environment, 1 << 26), 0);
  ASSERT_EQ(mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0644), 0);
  ASSERT_EQ(mdb_txn_begin(environment, nullptr, 0, &transaction), 0);
  ASSERT_EQ(mdb_dbi_open(transaction, nullptr, 0, &table), 0);
  for (const auto& [key, value] : entries) {
    MDB_val k{key.size(), const_cast<char*>(key.data())}, v{value.size(), const_cast<char*>(value.data())};
    ASSERT_EQ(mdb_put(transaction, table, &k, &v, 0), 0);
  }
  ASSERT_EQ(mdb_txn_commit(transaction), 0);
  mdb_env_close(environment);
}

/// Bytes written as a literal with zeros inside.
template <std::size_t n>
inline std::string bytes(const char (&text)[n]) {
  return std::string(text, n - 1);
}

/// A step of one atom as a pickle fragment; symbol and numbers may be forged.
inline std::string real(double value) {
  const std::uint64_t big = __builtin_bswap64(std::bit_cast<std::uint64_t>(value));
  std::string result(9, 'G');
  std::memcpy(result.data() + 1, &big, sizeof(big));
  return result;
}
inline std::string text(const std::string& value) {
  return std::string("\x8c") + static_cast<char>(value.size()) + value;
}
inline std::string atom(const std::string& symbol, const std::string& prefix, double x) {
  return "}(" + text("atom") + text(symbol) + text(prefix + "x") + real(x) + text(prefix + "y") + real(0) +
         text(prefix + "z") + real(0) + "u";
}
inline std::string step(const std::string& symbol, const std::string& energy, double x = 0,
                        const std::string& slopes = "") {
  return "}(" + text("coordinates") + "](" + (symbol.empty() ? "" : atom(symbol, "", x)) + "e" + text("energy") +
         energy + text("gradient") + "](" +
         (symbol.empty()   ? ""
          : slopes.empty() ? atom(symbol, "d", 0)
                           : slopes) +
         "eu";
}
inline std::string trajectory(const std::string& steps) {
  return "\x80\x04}(" + text("pm3") + "](" + steps + "eu.";
}

}  // namespace isotrope::testing
