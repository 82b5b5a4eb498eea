// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "layers/radial_table.hpp"
#include "layers/table_report.hpp"
#include "models/tdn_weights.hpp"

namespace isotrope {

template <class T>
struct TdnTables {
  std::vector<std::unique_ptr<RadialTable<T>>> networks;  ///< of the degree embedding, the blocks, the force head
  TableReport report;
};

/// Tables of all radial networks (layers/radial_tabulation.hpp).
template <class T>
TdnTables<T> tabulate_radial(const TdnShape& shape, const Parameters& names, std::span<const double> parameters,
                             double tolerance);

}  // namespace isotrope
