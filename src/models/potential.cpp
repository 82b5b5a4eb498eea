// SPDX-License-Identifier: MIT
#include "models/potential.hpp"

#include "core/error.hpp"

namespace isotrope {

const char* name_of(Forces kind) {
  return kind == Forces::direct ? "direct" : "gradient";
}

void Potential::use_forces(Forces kind) {
  require(kind == Forces::direct ? info().direct_forces : info().gradient_forces,
          "the model ({}) has no {} forces: its forces are {} ones", info().architecture, name_of(kind),
          name_of(info().forces));
}

}  // namespace isotrope
