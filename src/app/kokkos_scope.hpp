// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope::app {

/// Kokkos, and memory for its arrays, for the life of this object, for the commands that compute: `KokkosScope kokkos;`
/// first in their action.
class KokkosScope {
 public:
  KokkosScope();
  ~KokkosScope();
  KokkosScope(const KokkosScope&) = delete;
  KokkosScope& operator=(const KokkosScope&) = delete;
};

}  // namespace isotrope::app
