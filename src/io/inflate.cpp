// SPDX-License-Identifier: MIT
#include "io/inflate.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <new>

#include "core/error.hpp"

namespace isotrope {

Inflater::Inflater() : state_(libdeflate_alloc_decompressor()) {
  if (!state_) throw std::bad_alloc();
}

Inflater::~Inflater() {
  libdeflate_free_decompressor(state_);
}

std::string_view Inflater::operator()(std::string_view compressed, Wrapper wrapper) {
  std::size_t size = 0;
  do {
    std::size_t used = 0;
    size += inflate_member(compressed, wrapper, size, used);
    compressed.remove_prefix(used);
  } while (!compressed.empty() && wrapper == Wrapper::gzip);
  require(compressed.empty(), "{} bytes follow the end of the zlib data", compressed.size());
  std::fill_n(buffer_.data() + size, padding, '\0');
  return {buffer_.data(), size};
}

/// Writes one member behind the first `at` bytes of the buffer; its size.
std::size_t Inflater::inflate_member(std::string_view compressed, Wrapper wrapper, std::size_t at, std::size_t& used) {
  const char* name = wrapper == Wrapper::gzip ? "gzip" : "zlib";
  const auto inflate = wrapper == Wrapper::gzip ? libdeflate_gzip_decompress_ex : libdeflate_zlib_decompress_ex;
  if (buffer_.size() < at + 4 * compressed.size() + padding) buffer_.resize(at + 4 * compressed.size() + padding);
  for (;;) {
    const std::size_t space = buffer_.size() - padding - at;
    std::size_t size = 0;
    const libdeflate_result result =
        inflate(state_, compressed.data(), compressed.size(), buffer_.data() + at, space, &used, &size);
    if (result == LIBDEFLATE_SUCCESS) return size;
    require(result == LIBDEFLATE_INSUFFICIENT_SPACE, "expected {} data, found {} bytes that are damaged or cut off",
            name, compressed.size());
    // Deflate cannot expand a byte to more than 1032: what claims to is no reason to allocate.
    require(space < largest_result && space / 1032 <= compressed.size(), "the {} data is larger than {} MiB", name,
            largest_result >> 20);
    buffer_.resize(at + std::min(2 * space, largest_result) + padding);
  }
}

}  // namespace isotrope
