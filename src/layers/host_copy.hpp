// SPDX-License-Identifier: MIT
#pragma once
#include <utility>

#include "core/kokkos_ext.hpp"

/// The first numbers of device memory from the host: on a host they are the memory itself, on a device a copy.
namespace isotrope {

/// Writes a buffer's first `size` elements: `f` gets them as host memory.
template <class T, class F>
void fill_from_host(Buffer<T>& buffer, std::size_t size, const F& f) {
  buffer.reserve(size);
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), size));
  auto host = Kokkos::create_mirror_view(part);
  f(host.data());
  Kokkos::deep_copy(part, host);
}

/// A buffer's first `size` elements, to be read.
template <class T>
auto host_copy(const Buffer<T>& buffer, std::size_t size) {
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), size));
  return Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), part);
}

}  // namespace isotrope
