// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <span>
#include <string_view>
#include <vector>

struct libdeflate_decompressor;

namespace isotrope {

/// Decompresses many small values into one buffer that is kept between them.
class Inflater {
 public:
  enum class Wrapper { gzip, zlib };
  /// Zero bytes behind the end of a result: those who read text look ahead.
  static constexpr std::size_t padding = 64;
  static constexpr std::size_t largest_result = std::size_t(128) << 20;

  Inflater();
  ~Inflater();

  /// The whole of `compressed`, in gzip's case all its members. Valid until the next call. Throws, without saying
  /// where, for what is damaged, cut off, followed by other bytes or larger than `largest_result`.
  std::string_view operator()(std::string_view compressed, Wrapper wrapper);

 private:
  std::size_t inflate_member(std::string_view compressed, Wrapper wrapper, std::size_t at, std::size_t& used);

  libdeflate_decompressor* state_;
  std::vector<char> buffer_;
};

}  // namespace isotrope
