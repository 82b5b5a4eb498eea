// SPDX-License-Identifier: MIT
#include "core/version.hpp"

namespace isotrope {

const char* version() {
  return ISOTROPE_VERSION;
}

}  // namespace isotrope
