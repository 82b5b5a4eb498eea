// SPDX-License-Identifier: MIT
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluate/orbit.hpp"
#include "evaluate/structure_source.hpp"

namespace isotrope {

/// One orbit of all structures.
struct OrbitResult {
  Orbit orbit;
  std::vector<OrbitMeasurement> structures;
};

/// Every orbit of every structure; progress on standard error.
std::vector<OrbitResult> measure_orbits(const CheckedPotential& potential, const std::vector<Orbit>& orbits,
                                        const std::vector<IndexedStructure>& structures, const std::string& where);

/// The keys of `isotrope orbit --json` below "groups", docs/json-output.md; null where there is no label.
nlohmann::json to_json(const std::vector<OrbitResult>& results);
/// Two rows an orbit: against the consensus and, where there are labels, against them.
std::string orbit_table(const std::vector<OrbitResult>& results);

/// Writes rotation.csv, reflection.csv, translation.csv, permutation.csv (a row for each structure and element) and
/// summary.json into a folder, which is made where it does not exist.
void write_orbit_report(const std::string& folder, const std::vector<OrbitResult>& results,
                        const std::vector<IndexedStructure>& structures, const nlohmann::json& summary);

}  // namespace isotrope
