// SPDX-License-Identifier: MIT
#pragma once
#include "core/parameters.hpp"

namespace isotrope {

/// Throws where the parameters of a file are not those that its hyperparameters ask for, naming the first that differs.
void check_parameters(const Parameters& found, const Parameters& expected);

}  // namespace isotrope
