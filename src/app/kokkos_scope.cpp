// SPDX-License-Identifier: MIT
#include "app/kokkos_scope.hpp"

#include <Kokkos_Core.hpp>

namespace isotrope::app {

KokkosScope::KokkosScope() {
  Kokkos::initialize();
}

KokkosScope::~KokkosScope() {
  Kokkos::finalize();
}

}  // namespace isotrope::app
