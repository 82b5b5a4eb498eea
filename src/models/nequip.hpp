// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>

#include "models/potential.hpp"

/// The NequIP architecture (Batzner et al., Nature Communications 13, 2453, 2022), in the forms of SevenNet 0.13 (Park,
/// Kim, Hwang, Han, JCTC 20, 4857, 2024), number for number; docs/model-format.md states every formula.
namespace isotrope {

std::unique_ptr<Potential> make_nequip(const ModelRecord& record, Precision precision);

/// Standard normal weights, Bessel frequencies n pi / cutoff, from the `model` section of a training file.
ModelRecord create_nequip(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed);

}  // namespace isotrope
