// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope {

/// Of the program and the library, "0.1.0"; it is written into every file they make.
const char* version();

}  // namespace isotrope
