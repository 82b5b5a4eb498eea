// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/elements.hpp"
#include "evaluate/physics_checks.hpp"
#include "evaluate/worst_violation.hpp"
#include "geometry/neighbour_list.hpp"

namespace isotrope {

using namespace physics;

namespace {

std::set<int> elements_in(Structures structures) {
  std::set<int> found;
  for (const auto& [name, s] : structures) found.insert(s.numbers.begin(), s.numbers.end());
  return found;
}

/// How far the lines through the two values on either side miss each other in the middle.
double jump(const std::array<double, 4>& f) {
  return std::abs((1.5 * f[1] - 0.5 * f[0]) - (1.5 * f[2] - 0.5 * f[3]));
}

/// Moves a pair through the cutoff: `at(x)` has it at the cutoff plus x.
template <class At>
void cross_cutoff(const CheckedPotential& potential, const At& at, const std::string& name, WorstViolation& worst) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  std::array<Observables, 4> o;
  for (int k = 0; k < 4; ++k) o[k] = potential.evaluate(at((k - 1.5) * tolerance.cutoff_step));
  const double bound = tolerance.jump * force_scale(o[1]);
  worst.add(jump({o[0].energy, o[1].energy, o[2].energy, o[3].energy}), bound, "eV", name + ", energy");
  for (std::size_t i = 0; i < o[0].forces.size(); ++i) {
    for (int k = 0; k < 3; ++k) {
      worst.add(jump({o[0].forces[i][k], o[1].forces[i][k], o[2].forces[i][k], o[3].forces[i][k]}), bound, "eV/Å",
                fmt::format("{}, force on atom {}", name, i));
    }
  }
}

struct Pair {
  int i = 0, j = 0;
  Vec3 r{};
};

/// The pairs of different atoms whose distances are nearest to the cutoff.
std::vector<Pair> pairs_near_cutoff(const Structure& s, double cutoff, std::size_t count) {
  const NeighbourList list = build_neighbour_list(s, cutoff + 1);
  std::vector<Pair> pairs;
  for (int i = 0; i < s.size(); ++i) {
    for (std::int64_t e = list.first[i]; e < list.first[i + 1]; ++e) {
      if (i < list.neighbour[e]) pairs.push_back({i, list.neighbour[e], list.r[e]});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
    return std::abs(length(a.r) - cutoff) < std::abs(length(b.r) - cutoff);
  });
  pairs.resize(std::min(pairs.size(), count));
  return pairs;
}

/// The structure with atom i moved along its line to j, so that they are `distance` apart.
Structure with_distance(const Structure& s, const Pair& pair, double distance) {
  Structure moved = s;
  moved.positions[pair.i] = s.positions[pair.i] + (1 - distance / length(pair.r)) * pair.r;
  return moved;
}

bool atoms_overlap(const Structure& s) {
  return !build_neighbour_list(s, 0.5).neighbour.empty();
}

}  // namespace

CheckResult check_cutoff(const CheckedPotential& potential, Structures structures) {
  const double cutoff = potential.info.cutoff;
  WorstViolation worst;
  if (cutoff == 0) return worst.result("cutoff");
  const std::set<int> elements = elements_in(structures);
  for (const int a : elements) {
    for (auto b = elements.find(a); b != elements.end(); ++b) {
      const auto dimer = [&](double x) {
        Structure s;
        s.numbers = {a, *b};
        s.positions = {Vec3{}, (cutoff + x) * Vec3{2.0 / 7, 3.0 / 7, 6.0 / 7}};
        return s;
      };
      cross_cutoff(potential, dimer, fmt::format("{}-{}", element_symbol(a), element_symbol(*b)), worst);
    }
  }
  for (const auto& [name, structure] : structures) {
    for (const Pair& pair : pairs_near_cutoff(structure, cutoff, 6)) {
      // Named again: Clang 14 does not capture structured bindings.
      const auto moved = [&, &whole = structure](double x) { return with_distance(whole, pair, cutoff + x); };
      if (atoms_overlap(moved(0))) continue;
      cross_cutoff(potential, moved, fmt::format("{}, atoms {} and {}", name, pair.i, pair.j), worst);
    }
  }
  return worst.result("cutoff", potential.info.smooth_cutoff);
}

CheckResult check_isolated_atoms(const CheckedPotential& potential, Structures structures, bool claimed) {
  const Tolerance tolerance = Tolerance::of(potential.precision);
  WorstViolation energy, force;
  // A model of whole molecules need not know the charge and multiplicity of an atom alone.
  if (potential.info.cutoff == 0) structures = {};
  for (const int element : elements_in(structures)) {
    Structure atom;
    atom.numbers = {element};
    atom.positions = {Vec3{}};
    const Observables o = potential.evaluate(atom);
    const std::string& symbol = element_symbol(element);
    energy.add(std::abs(o.energy), tolerance.energy, "eV", symbol + ", energy - E0");
    force.add(length(o.forces.at(0)), tolerance.force, "eV/Å", symbol + ", force");
  }
  const CheckResult no_force = force.result("isolated atoms");
  return no_force.verdict == CheckResult::Verdict::fail ? no_force : energy.result("isolated atoms", claimed);
}

CheckResult check_tables(const CheckedPotential& exact, const CheckedPotential& tabulated, Structures structures) {
  constexpr double largest = 1e-5;  // eV/Å, of forces of order 1 eV/Å
  WorstViolation worst;
  for (const auto& [name, structure] : structures) {
    const Observables expected = exact.evaluate(structure), found = tabulated.evaluate(structure);
    for (int i = 0; i < structure.size(); ++i) {
      for (int k = 0; k < 3; ++k) {
        worst.add(std::abs(found.forces[i][k] - expected.forces[i][k]), largest * force_scale(expected), "eV/Å",
                  fmt::format("{}, atom {} ({}), {}", name, i, element_symbol(structure.numbers[i]), "xyz"[k]));
      }
    }
  }
  return worst.result("radial tables");
}

}  // namespace isotrope
