// SPDX-License-Identifier: MIT
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/dataset.hpp"

namespace isotrope {

/// The numbers behind pictures of a data set (its files one after the other), in bounded memory and two passes:
/// sizes.csv, elements.csv, energies.csv, forces.csv, distances.csv, charges.csv and summary.json
/// (docs/command-line.md); scripts/plot_census.py draws them. Energies are relative to isolated atoms where
/// `isolated_atoms` (a data set), or else the data itself, has one with an energy for every element (of several the
/// lowest); otherwise to a fit of the composition. Throws: an element without isolated atom in `isolated_atoms`, a
/// folder that cannot be written.
void write_census_report(const std::vector<std::string>& files, const DatasetSummary& summary,
                         const std::optional<std::string>& isolated_atoms, const std::string& folder);

}  // namespace isotrope
