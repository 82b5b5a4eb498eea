// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>

#include "models/potential.hpp"

/// The MACE architecture (Batatia, Kovacs, Simm, Ortner, Csanyi, NeurIPS 2022), number for number as mace-torch 0.3.16
/// has it; docs/model-format.md states every formula.
namespace isotrope {

std::unique_ptr<Potential> make_mace(const ModelRecord& record, Precision precision);

/// Random weights, standard normal (products: divided by the number of paths), from the `model` section of a training
/// file.
ModelRecord create_mace(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed);

}  // namespace isotrope
