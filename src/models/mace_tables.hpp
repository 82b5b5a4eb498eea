// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "layers/radial_table.hpp"
#include "models/mace_weights.hpp"
#include "models/potential.hpp"

namespace isotrope {

template <class T>
struct MaceTables {
  std::vector<std::unique_ptr<RadialTable<T>>> layers;
  TableReport report;
};

/// Tables of the radial networks of all layers: the knots are doubled until values and slopes between them are within
/// `tolerance` of the network, relative to the largest of each. Networks are evaluated in double. Throws where the
/// largest table that it allows (8192 knots) does not reach the tolerance.
template <class T>
MaceTables<T> tabulate_radial(const MaceShape& shape, const Parameters& names, std::span<const double> parameters,
                              const std::vector<CouplingTable>& couplings, const std::vector<double>& frequencies,
                              double tolerance);

}  // namespace isotrope
