// SPDX-License-Identifier: MIT
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "geometry/structure.hpp"
#include "models/potential.hpp"

/// What every potential must obey, measured. Called by `isotrope check` for a model and by the tests of every model;
/// docs/command-line.md explains each check to users. A check hands back the worst violation found, and passes only if
/// that is a number within its bound.
namespace isotrope {

/// What a potential says about one structure.
struct Observables {
  double energy = 0;         ///< interaction energy, without E0, eV
  std::vector<Vec3> forces;  ///< eV/Å
  Mat3 stress{};             ///< eV/Å^3; 0 where not periodic in three directions
};

/// A potential as the checks see it; `evaluate` may be anything, such as a broken one in a test of the checks.
struct CheckedPotential {
  PotentialInfo info;
  Precision precision = Precision::double_precision;
  std::function<Observables(const Structure&)> evaluate;
  double frame_gap = 0;  ///< of structures with a smaller one the model claims no rotation, reflection or torque
};
/// The potential must outlive it.
CheckedPotential checked(const Potential& potential, Precision precision);

struct CheckResult {
  enum class Verdict { pass, fail, note };
  std::string name, unit;
  double value = 0;   ///< worst violation
  double bound = 0;   ///< largest that passes
  std::string where;  ///< of the worst violation
  /// note: the property is not one that the model claims; the value is for information.
  Verdict verdict = Verdict::pass;
};

/// A structure of the model's elements with two atoms or more; `name` says in reports which one it is.
struct NamedStructure {
  std::string name;
  Structure structure;
};
using Structures = std::span<const NamedStructure>;

/// Forces against central finite differences of the energy (five points, fourth order), for all components of small
/// structures, for `components` of each by lot in larger ones. A note for direct forces, which are no derivative.
CheckResult check_forces(const CheckedPotential& potential, Structures structures, int components = 60);
/// Stress times volume against finite differences of the energy by strain, per atom. What is not periodic in three
/// directions is put into a triclinic cell just larger than itself. Nothing to measure for direct forces.
CheckResult check_stress(const CheckedPotential& potential, Structures structures);
/// Energy per atom, forces and stress after a rotation, after a reflection: a note where the model does not claim that
/// symmetry. Structures whose frames fade are left to check_fading_frames.
CheckResult check_rotation(const CheckedPotential& potential, Structures structures);
CheckResult check_reflection(const CheckedPotential& potential, Structures structures);
/// What a rotation does to structures whose frames fade (geometry/frames.hpp), which is no violation: a note.
CheckResult check_fading_frames(const CheckedPotential& potential, Structures structures);
/// Energy per atom and forces after renumbering the atoms.
CheckResult check_permutation(const CheckedPotential& potential, Structures structures);
/// Energy per atom and forces after a shift, in cells also of single atoms by lattice vectors.
CheckResult check_translation(const CheckedPotential& potential, Structures structures);
/// Two copies out of reach of each other (for cells: a cell of twice the length) have twice the energy and the same
/// forces.
CheckResult check_extensivity(const CheckedPotential& potential, Structures structures);
/// Forces sum to zero, and for molecules their torque too where the model is invariant under rotation; a note for
/// direct forces.
CheckResult check_net_force(const CheckedPotential& potential, Structures structures);
/// Energy and forces have no jump where a pair crosses the cutoff, beyond what their slopes explain: dimers of all
/// elements that occur, and atoms moved through the cutoff of another in the structures. A note for a model that claims
/// no smooth cutoff.
CheckResult check_cutoff(const CheckedPotential& potential, Structures structures);
/// A single atom of each element that occurs has energy E0 and no force. Where `claimed` is false (a shift, a self
/// connection) the energy is a note.
CheckResult check_isolated_atoms(const CheckedPotential& potential, Structures structures, bool claimed);

/// Forces of a potential with tables of its radial functions (Potential::tabulate_radial) against its exact ones.
CheckResult check_tables(const CheckedPotential& exact, const CheckedPotential& tabulated, Structures structures);

/// All but the tables, in this order; fading frames only where there are some, at the end.
std::vector<CheckResult> check_physics(const CheckedPotential& potential, Structures structures, bool isolated_claimed);

}  // namespace isotrope
