// SPDX-License-Identifier: MIT
#include "io/npy.hpp"

#include <bit>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "core/error.hpp"

namespace isotrope {

namespace {

static_assert(std::endian::native == std::endian::little, "files of NumPy are read as they are");

constexpr std::int64_t longest_header = 1 << 20;

/// The text behind 'KEY': of the header, a literal of a Python dictionary.
std::string_view value_of(std::string_view header, const std::string& key) {
  const std::size_t at = header.find("'" + key + "'");
  if (at == header.npos) return {};
  std::size_t begin = header.find(':', at);
  if (begin == header.npos) return {};
  for (++begin; begin < header.size() && header[begin] == ' ';) ++begin;
  return header.substr(begin);
}

template <class T>
void convert(const std::vector<char>& bytes, std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

}  // namespace

NpyFile::NpyFile(const std::string& path) : path_(path), in_(path, std::ios::binary) {
  require(std::filesystem::exists(path), "cannot open {}: file not found", path);
  require(in_.good(), "cannot open {}: {}", path, std::strerror(errno));
  parse(read_header());
  std::int64_t numbers = row_size_ * rows();
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  require(size == data_begin_ + numbers * width_, "{}: expected {} bytes for {} numbers, found {}: truncated?", path,
          data_begin_ + numbers * width_, numbers, size);
}

std::string NpyFile::read_header() {
  const auto bad = [&](bool good) {
    require(good && in_.good(), "{}: expected an array of NumPy (.npy), found another file", path_);
  };
  unsigned char head[12] = {};
  in_.read(reinterpret_cast<char*>(head), 10);
  bad(std::memcmp(head, "\x93NUMPY", 6) == 0 && head[6] >= 1 && head[6] <= 3);
  std::int64_t length = head[8] + 256 * head[9];
  if (head[6] >= 2) {
    in_.read(reinterpret_cast<char*>(head + 10), 2);
    length += (static_cast<std::int64_t>(head[10]) << 16) + (static_cast<std::int64_t>(head[11]) << 24);
  }
  bad(length <= longest_header);
  std::string header(static_cast<std::size_t>(length), ' ');
  in_.read(header.data(), length);
  bad(true);
  data_begin_ = in_.tellg();
  return header;
}

void NpyFile::parse(const std::string& header) {
  const std::string_view type = value_of(header, "descr"), order = value_of(header, "fortran_order");
  std::string_view shape = value_of(header, "shape");
  require(type.size() > 4 && !order.empty() && shape.starts_with("("), "{}: the header of the array is damaged", path_);
  const std::string_view name = type.substr(1, 3);
  const bool known = (name == "<f4" || name == "<f8" || name == "<i4" || name == "<i8" || name == "<i2" ||
                      name == "|i1" || name == "|u1" || name == "<u2" || name == "<u4") &&
                     type[0] == '\'' && type[4] == '\'';
  require(known, "{}: expected integers or floating-point numbers ('<f4', '<f8', '<i4', '<i8', ...), found {}", path_,
          type.substr(0, type.find(',')));
  kind_ = name[1];
  width_ = name[2] - '0';
  require(order.starts_with("False"), "{}: expected an array in C order, found one in Fortran order", path_);
  std::int64_t numbers = 1;
  for (shape.remove_prefix(1); !shape.empty() && shape[0] != ')';) {
    if (std::isdigit(static_cast<unsigned char>(shape[0])) == 0) {
      shape.remove_prefix(1);
      continue;
    }
    std::int64_t extent = 0;
    for (; !shape.empty() && std::isdigit(static_cast<unsigned char>(shape[0])) != 0; shape.remove_prefix(1)) {
      extent = 10 * extent + (shape[0] - '0');
      require(extent < (std::int64_t{1} << 40), "{}: the header of the array is damaged", path_);
    }
    require(extent == 0 || numbers < (std::int64_t{1} << 50) / extent, "{}: the header of the array is damaged", path_);
    numbers *= std::max<std::int64_t>(1, extent);
    if (!shape_.empty()) row_size_ *= extent;
    shape_.push_back(extent);
  }
}

std::vector<double> NpyFile::read_row(std::int64_t index) {
  require(index >= 0 && index < rows(), "{}: expected at least {} rows, found {}", path_, index + 1, rows());
  const std::int64_t size = row_size_ * width_;
  bytes_.resize(static_cast<std::size_t>(size));
  in_.seekg(data_begin_ + index * size);
  in_.read(bytes_.data(), size);
  require(in_.good() || size == 0, "{}: row {} cannot be read: truncated?", path_, index);
  std::vector<double> values(static_cast<std::size_t>(row_size_));
  const auto as = [&](char kind, int width) { return kind_ == kind && width_ == width; };
  if (as('f', 4)) convert<float>(bytes_, values);
  if (as('f', 8)) convert<double>(bytes_, values);
  if (as('i', 1)) convert<std::int8_t>(bytes_, values);
  if (as('i', 2)) convert<std::int16_t>(bytes_, values);
  if (as('i', 4)) convert<std::int32_t>(bytes_, values);
  if (as('i', 8)) convert<std::int64_t>(bytes_, values);
  if (as('u', 1)) convert<std::uint8_t>(bytes_, values);
  if (as('u', 2)) convert<std::uint16_t>(bytes_, values);
  if (as('u', 4)) convert<std::uint32_t>(bytes_, values);
  return values;
}

}  // namespace isotrope
