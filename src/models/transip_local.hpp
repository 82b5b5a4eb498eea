// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "models/potential.hpp"
#include "models/transip_shape.hpp"

namespace isotrope {

/// The local variant of TransIP: attention over neighbours within a cutoff, for periodic structures and domain
/// decomposition (docs/theory.md). `frequencies` are those of the rotary embedding, rad/Å.
std::unique_ptr<Potential> make_local_transip(const ModelRecord& record, const TransipShape& shape,
                                              const std::vector<double>& frequencies, Precision precision);

}  // namespace isotrope
