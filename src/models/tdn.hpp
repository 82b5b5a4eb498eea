// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>

#include "models/potential.hpp"

/// TDN, the tensor decomposition network (Lin et al., NeurIPS 2025, arXiv 2507.01131): attention over neighbours with
/// equivariant values, tensor products whose paths share one weight. Number for number as the authors' program
/// (divelab/AIRS, OpenMol/TDN), or with what that leaves to mend mended; docs/model-format.md states every formula.
namespace isotrope {

std::unique_ptr<Potential> make_tdn(const ModelRecord& record, Precision precision);

/// Random weights as the authors' program draws them, from the `model` section of a training file.
ModelRecord create_tdn(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed);

}  // namespace isotrope
