// SPDX-License-Identifier: GPL-2.0-only
#pragma once

namespace isotrope {

/// Kokkos and BLAS as a guest in LAMMPS needs them. Kokkos is started once, whoever asks first, and finalised at exit:
/// a pair style comes and goes with `clear` and `plugin unload`, Kokkos cannot start twice. BLAS gets one thread, ranks
/// are the parallelism.
void start_runtime();

}  // namespace isotrope
