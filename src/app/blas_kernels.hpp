// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope::app {

/// OpenBLAS chooses its kernels when it is loaded. Releases older than the processor do not know it and fall back to
/// kernels of half the vector width (0.3.21 on AMD Zen 5: "Haswell"). Where the processor has AVX-512 and nobody has
/// set OPENBLAS_CORETYPE, this sets it and starts the program again. Returns where there is nothing to gain.
void choose_blas_kernels(char** argv);

}  // namespace isotrope::app
