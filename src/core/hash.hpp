// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct XXH64_state_s;

namespace isotrope {

/// XXH64 (seed 0) of a stream of values: the content hash of model files and data sets.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  ContentHash(const ContentHash&) = delete;
  ContentHash& operator=(const ContentHash&) = delete;

  void add(std::string_view text) { add_bytes(text.data(), text.size()); }
  template <class T>
  void add(std::span<const T> values) {
    add_bytes(values.data(), values.size_bytes());
  }
  /// The 16 hexadecimal digits of what was added so far.
  std::string digest() const;

 private:
  void add_bytes(const void* data, std::size_t size);
  XXH64_state_s* state_;
};

/// XXH64 of one array; `seed` may be the hash of another.
std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed = 0);

}  // namespace isotrope
