// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// HDF5 behind a small wall: hdf5.cpp is the only file that calls its library. Every failure throws Error with the
/// file's path and the entry ("data.h5:/forces: ..."). Element types T: std::uint8_t, int, std::int64_t, float, double;
/// on reading HDF5 converts widths, but floating-point numbers are never read as integers. Calls of several threads
/// take turns; one object belongs to one thread at a time.
namespace isotrope::hdf5 {

using Shape = std::vector<std::int64_t>;  ///< empty: a scalar

/// An extent that may be anything in an expected shape.
inline constexpr std::int64_t any = -1;

/// Owner of an HDF5 identifier.
class Handle {
 public:
  Handle() = default;
  Handle(std::int64_t id, int (*close)(std::int64_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();
  std::int64_t id() const { return id_; }

 private:
  std::int64_t id_ = -1;
  int (*close_)(std::int64_t) = nullptr;
};

class Group {
 public:
  bool has(const std::string& name) const;  ///< a dataset or group of that name
  std::vector<std::string> members()
      const;  ///< names in creation order where it is tracked, else in alphabetical order
  bool tracks_creation_order() const;
  enum class Kind { group, text, numbers };
  Kind kind(const std::string& name) const;  ///< of a member

  Group group(const std::string& name) const;
  Group create_group(const std::string& name);  ///< it tracks creation order

  Shape shape(const std::string& name) const;
  void check_shape(const std::string& name, const Shape& expected) const;  ///< throws where it is another
  /// The whole dataset, row-major; its shape must be `expected`.
  template <class T>
  std::vector<T> read(const std::string& name, const Shape& expected) const;
  template <class T>
  T read_scalar(const std::string& name) const;
  /// Rows [begin, begin + count) of the first dimension; the shape of the whole must be `expected`.
  template <class T>
  std::vector<T> read_rows(const std::string& name, const Shape& expected, std::int64_t begin,
                           std::int64_t count) const;
  std::vector<std::string> read_strings(const std::string& name) const;  ///< one-dimensional

  template <class T>
  void write(const std::string& name, std::span<const T> values, const Shape& shape);
  template <class T>
  void write_scalar(const std::string& name, T value) {
    write<T>(name, {&value, 1}, {});
  }
  void write_strings(const std::string& name, const std::vector<std::string>& values);
  /// An empty dataset that grows by rows of shape `row`, stored in chunks of `chunk` rows.
  template <class T>
  void create_rows(const std::string& name, const Shape& row, std::int64_t chunk);
  template <class T>
  void append_rows(const std::string& name, std::span<const T> values);

  bool has_attribute(const std::string& name) const;
  std::string string_attribute(const std::string& name) const;  ///< of fixed or variable length, as h5py writes either
  std::int64_t int_attribute(const std::string& name) const;
  /// An attribute of a dataset in this group; "" where it has none, or one that is no text.
  std::string attribute_of(const std::string& member, const std::string& name) const;
  void write_attribute(const std::string& name, const std::string& text);
  void write_attribute(const std::string& name, std::int64_t value);

  const std::string& file() const { return file_; }  ///< path of the file, as it was opened
  std::string where(const std::string& name) const;  ///< "FILE:/group/name", for messages

 protected:
  Group(Handle handle, std::string file, std::string path);

 private:
  Handle open_dataset(const std::string& name) const;
  Handle open_attribute(const std::string& name) const;

  Handle handle_;
  std::string file_, path_;
};

/// An open file, seen as its root group. It closes with the last object that came from it.
class File : public Group {
 public:
  static File open(const std::string& path);    ///< to read; throws: file not found, not HDF5, truncated
  static File create(const std::string& path);  ///< empty, whatever was there; the root tracks creation order
  /// Throws where what was written does not reach the file system (full disk): closing alone would not say so.
  void flush();

 private:
  File(Handle file, Handle root, const std::string& path);
  Handle file_handle_;
};

}  // namespace isotrope::hdf5
