// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>

#include "core/gemm.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  isotrope::use_one_blas_thread();
  Kokkos::ScopeGuard kokkos(argc, argv);
  return RUN_ALL_TESTS();
}
