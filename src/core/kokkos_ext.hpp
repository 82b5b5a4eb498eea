// SPDX-License-Identifier: MIT
#pragma once
#include <Kokkos_Core.hpp>
#include <string>
#include <type_traits>
#include <vector>

/// What differs between Kokkos 3.4.1 (Debian, Serial) and current releases, and how isotrope maps its loops onto an
/// execution space. Nothing else in the project asks which backend it runs on.
namespace isotrope {

using Space = Kokkos::DefaultExecutionSpace;
template <class T>
using View = Kokkos::View<T*, Space>;

#if defined(KOKKOS_ENABLE_CUDA) || defined(KOKKOS_ENABLE_HIP) || defined(KOKKOS_ENABLE_SYCL)
#define ISOTROPE_DEVICE_BUILD
inline constexpr bool device_build = true;
#else
inline constexpr bool device_build = false;
#endif

#if defined(KOKKOS_ENABLE_SERIAL)
inline constexpr bool serial_space = std::is_same_v<Space, Kokkos::Serial>;
#else
inline constexpr bool serial_space = false;
#endif

/// Memory that grows to the largest size asked for and is then reused; contents are undefined after reserve().
template <class T>
class Buffer {
 public:
  explicit Buffer(std::string label = "isotrope::buffer") : label_(std::move(label)) {}
  T* reserve(std::size_t size) {
    if (size > view_.extent(0)) {
      view_ = View<T>();  // free before allocating: peak memory matters more than the copy that is not needed
      view_ = View<T>(Kokkos::view_alloc(label_, Kokkos::WithoutInitializing), size + size / 8);
    }
    return view_.data();
  }
  T* zeros(std::size_t size) {
    T* data = reserve(size);
    Kokkos::deep_copy(Kokkos::subview(view_, std::make_pair(std::size_t(0), size)), T{});
    return data;
  }
  T* data() const { return view_.data(); }
  const View<T>& view() const { return view_; }

 private:
  std::string label_;
  View<T> view_;
};

/// A copy of host numbers where kernels read them.
template <class T>
View<T> to_device(const std::string& label, const std::vector<T>& values) {
  View<T> view(label, values.size());
  auto host = Kokkos::create_mirror_view(view);
  for (std::size_t i = 0; i < values.size(); ++i) host(i) = values[i];
  Kokkos::deep_copy(view, host);
  return view;
}

/// Adds without a race: a plain addition where one thread runs, an atomic one elsewhere.
template <class T>
KOKKOS_INLINE_FUNCTION void add_shared(T* target, T value) {
  if constexpr (serial_space) {
    *target += value;
  } else {
    Kokkos::atomic_add(target, value);
  }
}

}  // namespace isotrope
