// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "geometry/graph.hpp"
#include "models/potential.hpp"

namespace isotrope {

/// Throws for an element that the model does not know: "FILE: structure 12 has the element Cl, ...".
void check_elements(const Structure& structure, const SpeciesMap& species, const std::string& where,
                    std::int64_t index);

/// Throws where the model reads charge and multiplicity and the structure has none, or others than it was made for; and
/// where it takes molecules alone and the structure is periodic.
void check_fits_model(const Structure& structure, const PotentialInfo& info, const std::string& where,
                      std::int64_t index);

/// A structure of a file and its place there, from 0.
struct IndexedStructure {
  std::int64_t index = 0;
  Structure structure;
};

/// At most `count` structures that `wanted` accepts, spread evenly over the file, of any format that the
/// readers know. The file is read through, but no more than 2 `count` structures are held.
std::vector<IndexedStructure> sample_structures(const std::string& path, int count,
                                                const std::function<bool(const Structure&)>& wanted);

/// Structures from the start of a file, until they have `atoms` atoms or more.
std::vector<Structure> first_structures(const std::string& path, std::int64_t atoms);

}  // namespace isotrope
