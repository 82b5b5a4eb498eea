// SPDX-License-Identifier: MIT
#include "io/hdf5.hpp"

#include <hdf5.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <type_traits>
#include <utility>

#include "core/error.hpp"
#include "io/hdf5_shape.hpp"

namespace isotrope::hdf5 {

namespace {

static_assert(sizeof(hid_t) == sizeof(std::int64_t), "HDF5 1.10 or newer is needed");

template <herr_t (*close)(hid_t)>
int close_id(std::int64_t id) {
  return close(id);
}

/// Every function that calls the library takes its turn: not all builds of it are safe for threads, and a trainer reads
/// data while it writes checkpoints. Failures are reported by our own exceptions; the library's stack trace on standard
/// error would only hide them.
class Turn {
 public:
  Turn() : lock_(mutex()) {
    thread_local bool silent = false;
    if (silent) return;
    // At the end of the program the library would try again to write what a full disk refused, and crash. To be said
    // before any other call.
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    silent = true;
  }

 private:
  static std::recursive_mutex& mutex() {
    static auto* const one = new std::recursive_mutex;  // outlives objects that close files at the end of the program
    return *one;
  }
  std::lock_guard<std::recursive_mutex> lock_;
};

template <herr_t (*close)(hid_t), class... Args>
Handle checked(hid_t id, fmt::format_string<Args...> text, Args&&... args) {
  if (id < 0) fail(text, std::forward<Args>(args)...);
  return Handle(id, &close_id<close>);
}

template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
  if constexpr (std::is_same_v<T, int>) return H5T_NATIVE_INT;
  if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
}

Handle string_type() {
  Handle type = checked<H5Tclose>(H5Tcopy(H5T_C_S1), "HDF5 has no string type");
  H5Tset_size(type.id(), H5T_VARIABLE);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  return type;
}

Handle make_space(const Shape& shape, const Shape* maximum = nullptr) {
  std::vector<hsize_t> extents(shape.begin(), shape.end()), limits;
  if (maximum) limits.assign(maximum->begin(), maximum->end());
  hid_t id = shape.empty() ? H5Screate(H5S_SCALAR)
                           : H5Screate_simple(static_cast<int>(extents.size()), extents.data(),
                                              maximum ? limits.data() : nullptr);
  return checked<H5Sclose>(id, "HDF5 refuses an array of shape [{}]", fmt::join(shape, ", "));
}

Shape shape_of(const Handle& dataset) {
  Handle space(H5Dget_space(dataset.id()), &close_id<H5Sclose>);
  std::vector<hsize_t> extents(std::max(0, H5Sget_simple_extent_ndims(space.id())));
  H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
  return Shape(extents.begin(), extents.end());
}

template <class T>
void check_type(hid_t id, const std::string& where) {
  const H5T_class_t kind = H5Tget_class(Handle(id, &close_id<H5Tclose>).id());
  constexpr bool real = std::is_floating_point_v<T>;
  require(kind == H5T_INTEGER || (kind == H5T_FLOAT && real), "{}: expected {}, found another type", where,
          real ? "floating-point numbers" : "integers");
}

/// Objects without time stamps, so that the same content gives the same bytes.
Handle dataset_properties() {
  Handle properties = checked<H5Pclose>(H5Pcreate(H5P_DATASET_CREATE), "HDF5 has no dataset properties");
  H5Pset_obj_track_times(properties.id(), false);
  return properties;
}

Handle group_properties(hid_t kind) {
  Handle properties = checked<H5Pclose>(H5Pcreate(kind), "HDF5 has no group properties");
  H5Pset_link_creation_order(properties.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_obj_track_times(properties.id(), false);
  return properties;
}

herr_t collect_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->push_back(name);
  return 0;
}

/// Reads strings of fixed or variable length through `read(memory_type, buffer)`.
template <class Read>
std::vector<std::string> read_any_strings(hid_t type_id, const Handle& space, std::int64_t n, const std::string& where,
                                          Read read) {
  Handle type(type_id, &close_id<H5Tclose>);
  require(H5Tget_class(type.id()) == H5T_STRING, "{}: expected text, found another type", where);
  std::vector<std::string> strings(n);
  if (H5Tis_variable_str(type.id()) > 0) {
    std::vector<char*> pointers(n, nullptr);
    require(read(type.id(), pointers.data()) >= 0, "{}: cannot be read, the file is damaged", where);
    for (std::int64_t i = 0; i < n; ++i) strings[i] = pointers[i] ? pointers[i] : "";
    H5Dvlen_reclaim(type.id(), space.id(), H5P_DEFAULT, pointers.data());
    return strings;
  }
  std::size_t width = H5Tget_size(type.id());
  bool space_padded = H5Tget_strpad(type.id()) == H5T_STR_SPACEPAD;
  std::vector<char> bytes(width * n);
  require(read(type.id(), bytes.data()) >= 0, "{}: cannot be read, the file is damaged", where);
  for (std::int64_t i = 0; i < n; ++i) {
    const char* text = bytes.data() + i * width;
    strings[i].assign(text, strnlen(text, width));
    if (space_padded) strings[i].erase(strings[i].find_last_not_of(' ') + 1);
  }
  return strings;
}

}  // namespace

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(close_, other.close_);
  return *this;
}

Handle::~Handle() {
  if (id_ < 0) return;
  const Turn turn;
  close_(id_);
}

Group::Group(Handle handle, std::string file, std::string path)
    : handle_(std::move(handle)), file_(std::move(file)), path_(std::move(path)) {}

std::string Group::where(const std::string& name) const {
  return fmt::format("{}:{}{}", file_, path_, name);
}

bool Group::has(const std::string& name) const {
  const Turn turn;
  return H5Lexists(handle_.id(), name.c_str(), H5P_DEFAULT) > 0;
}

bool Group::tracks_creation_order() const {
  const Turn turn;
  Handle properties(H5Gget_create_plist(handle_.id()), &close_id<H5Pclose>);
  unsigned flags = 0;
  H5Pget_link_creation_order(properties.id(), &flags);
  return (flags & H5P_CRT_ORDER_TRACKED) != 0;
}

Group::Kind Group::kind(const std::string& name) const {
  Handle object = checked<H5Oclose>(H5Oopen(handle_.id(), name.c_str(), H5P_DEFAULT), "{}: missing", where(name));
  if (H5Iget_type(object.id()) != H5I_DATASET) return Kind::group;
  Handle type(H5Dget_type(object.id()), &close_id<H5Tclose>);
  return H5Tget_class(type.id()) == H5T_STRING ? Kind::text : Kind::numbers;
}

std::vector<std::string> Group::members() const {
  const Turn turn;
  std::vector<std::string> names;
  H5_index_t index = tracks_creation_order() ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  herr_t status = H5Literate(handle_.id(), index, H5_ITER_INC, nullptr, collect_name, &names);
  require(status >= 0, "{}: the list of members cannot be read, the file is damaged", where(""));
  return names;
}

Group Group::group(const std::string& name) const {
  const Turn turn;
  require(has(name), "{}: missing", where(name));
  Handle handle =
      checked<H5Gclose>(H5Gopen2(handle_.id(), name.c_str(), H5P_DEFAULT), "{}: expected a group", where(name));
  return Group(std::move(handle), file_, path_ + name + "/");
}

Group Group::create_group(const std::string& name) {
  const Turn turn;
  Handle properties = group_properties(H5P_GROUP_CREATE);
  hid_t id = H5Gcreate2(handle_.id(), name.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT);
  return Group(checked<H5Gclose>(id, "{}: cannot be created", where(name)), file_, path_ + name + "/");
}

Handle Group::open_dataset(const std::string& name) const {
  require(has(name), "{}: missing", where(name));
  return checked<H5Dclose>(H5Dopen2(handle_.id(), name.c_str(), H5P_DEFAULT), "{}: expected a dataset", where(name));
}

Shape Group::shape(const std::string& name) const {
  const Turn turn;
  return shape_of(open_dataset(name));
}

void Group::check_shape(const std::string& name, const Shape& expected) const {
  require_shape(shape(name), expected, where(name));
}

template <class T>
std::vector<T> Group::read(const std::string& name, const Shape& expected) const {
  const Turn turn;
  Handle dataset = open_dataset(name);
  check_type<T>(H5Dget_type(dataset.id()), where(name));
  Shape found = shape_of(dataset);
  require_shape(found, expected, where(name));
  std::vector<T> values(count(found));
  herr_t status = H5Dread(dataset.id(), native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  require(status >= 0, "{}: cannot be read, the file is damaged", where(name));
  return values;
}

template <class T>
T Group::read_scalar(const std::string& name) const {
  return read<T>(name, {}).front();
}

template <class T>
std::vector<T> Group::read_rows(const std::string& name, const Shape& expected, std::int64_t begin,
                                std::int64_t rows) const {
  const Turn turn;
  Handle dataset = open_dataset(name);
  check_type<T>(H5Dget_type(dataset.id()), where(name));
  Shape found = shape_of(dataset);
  require_shape(found, expected, where(name));
  require(begin >= 0 && rows >= 0 && begin + rows <= found.at(0), "{}: expected at least {} rows, found {}",
          where(name), begin + rows, found.at(0));
  Shape part = found;
  part[0] = rows;
  std::vector<T> values(count(part));
  if (values.empty()) return values;

  std::vector<hsize_t> start(found.size(), 0), extent(part.begin(), part.end());
  start[0] = begin;
  Handle in_file(H5Dget_space(dataset.id()), &close_id<H5Sclose>);
  Handle in_memory = make_space(part);
  H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
  herr_t status = H5Dread(dataset.id(), native_type<T>(), in_memory.id(), in_file.id(), H5P_DEFAULT, values.data());
  require(status >= 0, "{}: rows {} to {} cannot be read, the file is damaged", where(name), begin, begin + rows);
  return values;
}

std::vector<std::string> Group::read_strings(const std::string& name) const {
  const Turn turn;
  Handle dataset = open_dataset(name);
  Shape found = shape_of(dataset);
  require_shape(found, {any}, where(name));
  Handle space(H5Dget_space(dataset.id()), &close_id<H5Sclose>);
  return read_any_strings(H5Dget_type(dataset.id()), space, found[0], where(name), [&](hid_t type, void* buffer) {
    return found[0] == 0 ? 0 : H5Dread(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
  });
}

template <class T>
void Group::write(const std::string& name, std::span<const T> values, const Shape& shape) {
  const Turn turn;
  require(static_cast<std::int64_t>(values.size()) == count(shape), "{}: {} values for shape {}", where(name),
          values.size(), describe(shape));
  Handle space = make_space(shape), properties = dataset_properties();
  Handle dataset = checked<H5Dclose>(
      H5Dcreate2(handle_.id(), name.c_str(), native_type<T>(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      "{}: cannot be created", where(name));
  if (values.empty()) return;
  herr_t status = H5Dwrite(dataset.id(), native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  require(status >= 0, "{}: cannot be written (is the disk full?)", where(name));
}

void Group::write_strings(const std::string& name, const std::vector<std::string>& values) {
  const Turn turn;
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  Handle type = string_type(), properties = dataset_properties();
  Handle space = make_space({static_cast<std::int64_t>(values.size())});
  Handle dataset = checked<H5Dclose>(
      H5Dcreate2(handle_.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      "{}: cannot be created", where(name));
  if (values.empty()) return;
  herr_t status = H5Dwrite(dataset.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data());
  require(status >= 0, "{}: cannot be written (is the disk full?)", where(name));
}

template <class T>
void Group::create_rows(const std::string& name, const Shape& row, std::int64_t chunk) {
  const Turn turn;
  Shape start = row, maximum = row;
  start.insert(start.begin(), 0);
  maximum.insert(maximum.begin(), static_cast<std::int64_t>(H5S_UNLIMITED));
  std::vector<hsize_t> chunks(start.begin(), start.end());
  chunks[0] = chunk;
  Handle space = make_space(start, &maximum), properties = dataset_properties();
  H5Pset_chunk(properties.id(), static_cast<int>(chunks.size()), chunks.data());
  H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER);  // every row is written
  checked<H5Dclose>(
      H5Dcreate2(handle_.id(), name.c_str(), native_type<T>(), space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
      "{}: cannot be created", where(name));
}

template <class T>
void Group::append_rows(const std::string& name, std::span<const T> values) {
  const Turn turn;
  if (values.empty()) return;
  Handle dataset = open_dataset(name);
  Shape old = shape_of(dataset), row = old;
  row.erase(row.begin());
  std::int64_t rows = static_cast<std::int64_t>(values.size()) / count(row);
  require(rows * count(row) == static_cast<std::int64_t>(values.size()), "{}: {} values do not fill rows of shape {}",
          where(name), values.size(), describe(row));
  std::vector<hsize_t> start(old.size(), 0), extent(old.begin(), old.end()), whole = extent;
  start[0] = old[0];
  extent[0] = rows;
  whole[0] = old[0] + rows;
  require(H5Dset_extent(dataset.id(), whole.data()) >= 0, "{}: cannot grow", where(name));
  Handle in_file(H5Dget_space(dataset.id()), &close_id<H5Sclose>);
  Handle in_memory = make_space(Shape(extent.begin(), extent.end()));
  H5Sselect_hyperslab(in_file.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
  herr_t status = H5Dwrite(dataset.id(), native_type<T>(), in_memory.id(), in_file.id(), H5P_DEFAULT, values.data());
  require(status >= 0, "{}: cannot be written (is the disk full?)", where(name));
}

bool Group::has_attribute(const std::string& name) const {
  const Turn turn;
  return H5Aexists(handle_.id(), name.c_str()) > 0;
}

Handle Group::open_attribute(const std::string& name) const {
  require(has_attribute(name), "{}: attribute '{}' is missing", file_, name);
  return checked<H5Aclose>(H5Aopen(handle_.id(), name.c_str(), H5P_DEFAULT), "{}: attribute '{}' cannot be opened",
                           file_, name);
}

std::string Group::string_attribute(const std::string& name) const {
  const Turn turn;
  Handle attribute = open_attribute(name);
  Handle space(H5Aget_space(attribute.id()), &close_id<H5Sclose>);
  std::string place = fmt::format("{}: attribute '{}'", file_, name);
  require(H5Sget_simple_extent_npoints(space.id()) == 1, "{}: expected one value", place);
  return read_any_strings(H5Aget_type(attribute.id()), space, 1, place,
                          [&](hid_t type, void* buffer) { return H5Aread(attribute.id(), type, buffer); })
      .front();
}

std::int64_t Group::int_attribute(const std::string& name) const {
  const Turn turn;
  Handle attribute = open_attribute(name);
  std::string place = fmt::format("{}: attribute '{}'", file_, name);
  check_type<std::int64_t>(H5Aget_type(attribute.id()), place);
  Handle space(H5Aget_space(attribute.id()), &close_id<H5Sclose>);
  require(H5Sget_simple_extent_npoints(space.id()) == 1, "{}: expected one value", place);
  std::int64_t value = 0;
  require(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value) >= 0, "{}: cannot be read, the file is damaged", place);
  return value;
}

std::string Group::attribute_of(const std::string& member, const std::string& name) const {
  if (H5Aexists_by_name(handle_.id(), member.c_str(), name.c_str(), H5P_DEFAULT) <= 0) return "";
  Handle attribute(H5Aopen_by_name(handle_.id(), member.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                   &close_id<H5Aclose>);
  Handle space(H5Aget_space(attribute.id()), &close_id<H5Sclose>),
      type(H5Aget_type(attribute.id()), &close_id<H5Tclose>);
  if (H5Tget_class(type.id()) != H5T_STRING || H5Sget_simple_extent_npoints(space.id()) != 1) return "";
  return read_any_strings(H5Aget_type(attribute.id()), space, 1, where(member),
                          [&](hid_t kind, void* buffer) { return H5Aread(attribute.id(), kind, buffer); })
      .front();
}

void Group::write_attribute(const std::string& name, const std::string& text) {
  const Turn turn;
  Handle type = string_type(), space = make_space({});
  hid_t id = H5Acreate2(handle_.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT);
  Handle attribute = checked<H5Aclose>(id, "{}: attribute '{}' cannot be created", file_, name);
  const char* pointer = text.c_str();
  require(H5Awrite(attribute.id(), type.id(), &pointer) >= 0, "{}: attribute '{}' cannot be written", file_, name);
}

void Group::write_attribute(const std::string& name, std::int64_t value) {
  const Turn turn;
  Handle space = make_space({});
  hid_t id = H5Acreate2(handle_.id(), name.c_str(), H5T_STD_I64LE, space.id(), H5P_DEFAULT, H5P_DEFAULT);
  Handle attribute = checked<H5Aclose>(id, "{}: attribute '{}' cannot be created", file_, name);
  require(H5Awrite(attribute.id(), H5T_NATIVE_INT64, &value) >= 0, "{}: attribute '{}' cannot be written", file_, name);
}

File::File(Handle file, Handle root, const std::string& path)
    : Group(std::move(root), path, "/"), file_handle_(std::move(file)) {}

File File::open(const std::string& path) {
  const Turn turn;
  require(std::filesystem::exists(path), "cannot open {}: file not found", path);
  require(!std::filesystem::is_directory(path), "cannot open {}: it is a folder", path);
  require(std::ifstream(path).good(), "cannot open {}: {}", path, std::strerror(errno));
  require(H5Fis_hdf5(path.c_str()) > 0, "cannot open {}: truncated or not an HDF5 file", path);
  Handle file = checked<H5Fclose>(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                                  "cannot open {}: truncated or not an HDF5 file", path);
  Handle root = checked<H5Gclose>(H5Gopen2(file.id(), "/", H5P_DEFAULT), "cannot open {}: damaged HDF5 file", path);
  return File(std::move(file), std::move(root), path);
}

File File::create(const std::string& path) {
  const Turn turn;
  Handle properties = group_properties(H5P_FILE_CREATE);
  Handle file =
      checked<H5Fclose>(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties.id(), H5P_DEFAULT), "cannot create {}", path);
  Handle root = checked<H5Gclose>(H5Gopen2(file.id(), "/", H5P_DEFAULT), "cannot create {}", path);
  return File(std::move(file), std::move(root), path);
}

void File::flush() {
  const Turn turn;
  require(H5Fflush(file_handle_.id(), H5F_SCOPE_LOCAL) >= 0, "cannot write {}: is the disk full?", file());
}

#define INSTANTIATE(T)                                                                                             \
  template std::vector<T> Group::read<T>(const std::string&, const Shape&) const;                                  \
  template T Group::read_scalar<T>(const std::string&) const;                                                      \
  template std::vector<T> Group::read_rows<T>(const std::string&, const Shape&, std::int64_t, std::int64_t) const; \
  template void Group::write<T>(const std::string&, std::span<const T>, const Shape&);                             \
  template void Group::create_rows<T>(const std::string&, const Shape&, std::int64_t);                             \
  template void Group::append_rows<T>(const std::string&, std::span<const T>);
INSTANTIATE(std::uint8_t)
INSTANTIATE(int)
INSTANTIATE(std::int64_t)
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace isotrope::hdf5
