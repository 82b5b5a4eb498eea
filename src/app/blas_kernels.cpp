// SPDX-License-Identifier: MIT
#include "app/blas_kernels.hpp"

#include <cblas.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace isotrope::app {

void choose_blas_kernels([[maybe_unused]] char** argv) {
#if defined(__x86_64__) && defined(__linux__)
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const std::string chosen = openblas_get_corename();
  if (!wide || std::getenv("OPENBLAS_CORETYPE") || (chosen != "Haswell" && chosen != "Zen")) return;
  setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
  execv("/proc/self/exe", argv);  // returns only where it fails: then the program goes on with what it has
#endif
}

}  // namespace isotrope::app
