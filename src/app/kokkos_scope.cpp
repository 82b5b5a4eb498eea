// SPDX-License-Identifier: MIT
#include "app/kokkos_scope.hpp"

#include <Kokkos_Core.hpp>

#include "app/huge_pages.hpp"

namespace isotrope::app {

KokkosScope::KokkosScope() {
  use_huge_pages();
  Kokkos::initialize();
}

KokkosScope::~KokkosScope() {
  Kokkos::finalize();
}

}  // namespace isotrope::app
