// SPDX-License-Identifier: MIT
#pragma once
#include "geometry/structure.hpp"

namespace isotrope {

/// What check_structure() of io/reader.hpp checks, without saying where: the caller does.
void check_structure(const Structure& structure);

}  // namespace isotrope
