// SPDX-License-Identifier: GPL-2.0-only
#include "runtime.h"

#include <Kokkos_Core.hpp>
#include <cstdlib>

#include "core/gemm.hpp"

namespace isotrope {

void start_runtime() {
  use_one_blas_thread();
  if (Kokkos::is_initialized()) return;
  Kokkos::initialize();
  std::atexit([] {
    if (Kokkos::is_initialized()) Kokkos::finalize();
  });
}

}  // namespace isotrope
