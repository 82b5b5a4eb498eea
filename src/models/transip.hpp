// SPDX-License-Identifier: MIT
#pragma once
#include <memory>

#include "models/potential.hpp"

namespace isotrope {

/// TransIP (Elhag et al., arXiv 2510.00027), our reading: a Transformer over the atoms of a molecule, without edges and
/// cutoff, which is not equivariant by construction but learns to be (docs/theory.md).
ModelRecord create_transip(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed);
std::unique_ptr<Potential> make_transip(const ModelRecord& record, Precision precision);

}  // namespace isotrope
