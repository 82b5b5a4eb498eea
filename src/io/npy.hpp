// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace isotrope {

/// An array in a file of NumPy (.npy, format versions 1 to 3), read by rows of its first dimension. Source: the
/// documentation of numpy.lib.format.
class NpyFile {
 public:
  /// Throws: missing, not NumPy's format, Fortran order, numbers that are no integers or floats of this byte order, a
  /// file whose size does not agree with its header.
  explicit NpyFile(const std::string& path);

  const std::string& path() const { return path_; }
  std::int64_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  std::int64_t row_size() const { return row_size_; }  ///< numbers in a row
  bool is_integer() const { return kind_ != 'f'; }
  bool single_precision() const { return kind_ == 'f' && width_ == 4; }
  /// Row `index`; integers too.
  std::vector<double> read_row(std::int64_t index);

 private:
  std::string read_header();
  void parse(const std::string& header);

  std::string path_;
  std::ifstream in_;
  std::vector<std::int64_t> shape_;
  char kind_ = 'f';  ///< f, i or u
  int width_ = 8;    ///< bytes
  std::int64_t row_size_ = 1, data_begin_ = 0;
  std::vector<char> bytes_;
};

}  // namespace isotrope
