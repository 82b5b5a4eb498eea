// SPDX-License-Identifier: MIT
#include "evaluate/physics_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "core/elements.hpp"
#include "core/random.hpp"
#include "evaluate/prediction.hpp"
#include "evaluate/worst_violation.hpp"
#include "models/framed.hpp"

namespace isotrope {

using namespace physics;

namespace {

/// The slope of f at 0, from f(h), f(-h), f(2h), f(-2h): exact up to h^4 f'''''/30.
template <class F>
double slope(const F& f, double h) {
  const double near = f(h) - f(-h), far = f(2 * h) - f(-2 * h);
  return (8 * near - far) / (12 * h);
}

Structure strained(const Structure& s, const Mat3& strain) {
  Structure moved = s;
  for (Vec3& r : moved.positions) r = r + strain * r;
  for (Vec3& row : moved.cell) row = row + strain * row;
  return moved;
}

/// Its atoms in a triclinic cell, 2.5 Å from their images.
Structure put_into_cell(const Structure& s) {
  Vec3 low = s.positions[0], high = low;
  for (const Vec3& r : s.positions) {
    for (int k = 0; k < 3; ++k) low[k] = std::min(low[k], r[k]), high[k] = std::max(high[k], r[k]);
  }
  const Vec3 size = high - low + Vec3{2.5, 2.5, 2.5};
  Structure boxed = s;
  boxed.periodic = {true, true, true};
  boxed.cell = {Vec3{size[0], 0, 0}, Vec3{0.2 * size[1], size[1], 0}, Vec3{-0.1 * size[2], 0.15 * size[2], size[2]}};
  return boxed;
}

}  // namespace

CheckedPotential checked(const Potential& potential, Precision precision) {
  auto predict = std::make_shared<Predictor>(potential);
  return {potential.info(), precision,
          [predict](const Structure& structure) {
            const Prediction& p = (*predict)(structure);
            const auto& atoms = predict->result().atom_energy;
            const Mat3 stress = p.stress.empty() ? Mat3{} : p.stress[0];
            return Observables{std::accumulate(atoms.begin(), atoms.end(), 0.0), p.forces, stress};
          },
          gap_switch_of(potential)};
}

CheckResult check_forces(const CheckedPotential& potential, Structures structures, int components) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  WorstViolation worst;
  for (const auto& [name, structure] : structures) {
    const Observables here = potential.evaluate(structure);
    const double bound = tolerance.derivative * force_scale(here);
    const std::vector<int> order = shuffled(3 * structure.size(), 1, 0);
    for (int n = 0; n < std::min<int>(components, static_cast<int>(order.size())); ++n) {
      const int atom = order[n] / 3, k = order[n] % 3;
      Structure moved = structure;
      const auto energy_at = [&, start = structure.positions[atom][k]](double shift) {
        moved.positions[atom][k] = start + shift;
        return potential.evaluate(moved).energy;
      };
      const double expected = -slope(energy_at, tolerance.step);
      worst.add(std::abs(here.forces[atom][k] - expected), bound, "eV/Å",
                fmt::format("{}, atom {} ({}), {}", name, atom, element_symbol(structure.numbers[atom]), "xyz"[k]));
    }
  }
  return worst.result("forces", potential.info.forces == Forces::gradient);
}

CheckResult check_stress(const CheckedPotential& potential, Structures structures) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  WorstViolation worst;
  if (!has_stress(potential.info)) return worst.result("stress");
  for (const auto& [name, given] : structures) {
    const Structure structure = fully_periodic(given) ? given : put_into_cell(given);
    const Observables here = potential.evaluate(structure);
    const double volume = std::abs(determinant(structure.cell)), atoms = structure.size();
    const double bound = tolerance.derivative * force_scale(here);
    for (int a = 0; a < 3; ++a) {
      for (int b = a; b < 3; ++b) {
        const auto energy_at = [&](double size) {
          Mat3 strain{};
          strain[a][b] += size / 2;
          strain[b][a] += size / 2;
          return potential.evaluate(strained(structure, strain)).energy;
        };
        const double expected = slope(energy_at, tolerance.strain);
        worst.add(std::abs(volume * here.stress[a][b] - expected) / atoms, bound, "eV/atom",
                  fmt::format("{}{}, {}{}", name, fully_periodic(given) ? "" : " in a cell", "xyz"[a], "xyz"[b]));
      }
    }
  }
  return worst.result("stress");
}

std::vector<CheckResult> check_physics(const CheckedPotential& potential, Structures structures,
                                       bool isolated_claimed) {
  std::vector<CheckResult> results{
      check_forces(potential, structures),      check_stress(potential, structures),
      check_rotation(potential, structures),    check_reflection(potential, structures),
      check_permutation(potential, structures), check_translation(potential, structures),
      check_extensivity(potential, structures), check_net_force(potential, structures),
      check_cutoff(potential, structures),      check_isolated_atoms(potential, structures, isolated_claimed)};
  const bool fading = std::any_of(structures.begin(), structures.end(),
                                  [&](const NamedStructure& s) { return frames_fade(potential, s.structure); });
  if (fading) results.push_back(check_fading_frames(potential, structures));
  return results;
}

}  // namespace isotrope
