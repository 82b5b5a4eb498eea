// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

#include "evaluate/physics_checks.hpp"

/// How a potential behaves over the orbits of the symmetries that physics has (NERO evaluation, Wang et al., arXiv
/// 2305.19889): a structure is rotated, reflected, shifted and renumbered step by step, the outputs are transformed
/// back, and what is left of their differences is drawn over the orbit (docs/command-line.md).
namespace isotrope {

/// One transformation of a structure: x -> matrix x + shift, atoms in another order.
struct OrbitElement {
  std::vector<std::string> place;  ///< where it lies in the orbit, one text for each of Orbit::axes
  Mat3 matrix{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  Vec3 shift{};
  std::uint64_t order = 0;  ///< stream of the permutation; 0: atoms keep their order

  /// The structure transformed, without labels.
  Structure apply(const Structure& structure) const;
  /// Forces on the transformed structure as they are on the original.
  std::vector<Vec3> back(const std::vector<Vec3>& forces) const;
};

/// A sampled orbit. Elements may repeat (all rotations by 0): the sampling is a grid, for pictures.
struct Orbit {
  std::string name;               ///< rotation, reflection, translation or permutation
  std::vector<std::string> axes;  ///< names of the columns of OrbitElement::place
  std::vector<OrbitElement> elements;
};

/// Rotations about axes in the planes xy, xz and yz, `step` degrees apart, by 0 to 180 degrees in the same steps.
Orbit rotation_orbit(int step);
/// Mirror planes whose normals lie in the planes xy, xz and yz, each preceded by the structure as it is, so that the
/// consensus is one of both hands.
Orbit reflection_orbit(int step);
/// Shifts along x, y and z by -10 to 10 Å in steps of 1 Å.
Orbit translation_orbit();
/// The order of the atoms as it is, and `count` - 1 others by lot.
Orbit permutation_orbit(int count);
/// All four; the step in degrees divides 180.
std::vector<Orbit> all_orbits(int step);

/// Errors over an orbit of one structure: of its energy, |dE| in eV, and of its forces, the root mean square over atoms
/// of the length |dF| in eV/Å.
struct OrbitErrors {
  std::vector<double> energy, forces;  ///< [elements]; empty: nothing to compare with
};

/// Of one structure: against the consensus, the mean over the orbit of what the model says (there it needs no labels),
/// and against the labels that the structure has.
struct OrbitMeasurement {
  OrbitErrors consensus, labels;
};
/// Throws where the model's energy or forces are NaN or infinite.
OrbitMeasurement measure_orbit(const CheckedPotential& potential, const Orbit& orbit, const NamedStructure& structure);

/// Over structures and orbit: mean, largest, and the spread over the orbit (root of the mean over structures of the
/// variance over the orbit), which is 0 for an exact model also where its errors are not.
struct OrbitSummary {
  double mean = 0, max = 0, std = 0;  ///< NaN where nothing was compared
};
/// One list of errors for each structure.
OrbitSummary summarise(const std::vector<std::vector<double>>& errors);

}  // namespace isotrope
