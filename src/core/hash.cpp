// SPDX-License-Identifier: MIT
#include "core/hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>

namespace isotrope {

static_assert(std::endian::native == std::endian::little, "content hashes are of little-endian bytes");

ContentHash::ContentHash() : state_(XXH64_createState()) {
  XXH64_reset(state_, 0);
}

ContentHash::~ContentHash() {
  XXH64_freeState(state_);
}

void ContentHash::add_bytes(const void* data, std::size_t size) {
  if (size > 0) XXH64_update(state_, data, size);
}

std::string ContentHash::digest() const {
  return fmt::format("{:016x}", XXH64_digest(state_));
}

std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed) {
  return XXH64(data, size, seed);
}

}  // namespace isotrope
