// SPDX-License-Identifier: MIT
#include "evaluate/orbit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace isotrope {
namespace {

constexpr const char* planes[] = {"xy", "xz", "yz"};
constexpr int plane_axes[][2] = {{0, 1}, {0, 2}, {1, 2}};

Vec3 direction(int plane, int degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  Vec3 n{};
  n[plane_axes[plane][0]] = std::cos(angle);
  n[plane_axes[plane][1]] = std::sin(angle);
  return n;
}

/// Rodrigues' formula, v -> c v + s n x v + (1 - c) (n.v) n, column by column of the identity.
Mat3 rotation_about(const Vec3& n, int degrees) {
  const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  Mat3 m;
  for (int k = 0; k < 3; ++k) {
    Vec3 unit{};
    unit[k] = 1;
    const Vec3 column = c * unit + s * cross(n, unit) + ((1 - c) * n[k]) * n;
    for (int row = 0; row < 3; ++row) m[row][k] = column[row];
  }
  return m;
}

Mat3 mirror(const Vec3& n) {
  Mat3 m;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) m[a][b] = (a == b) - 2 * n[a] * n[b];
  return m;
}

std::vector<int> permutation(int atoms, std::uint64_t order) {
  constexpr std::uint64_t seed = 6;
  if (order > 0) return shuffled(atoms, seed, order);
  std::vector<int> same(atoms);
  std::iota(same.begin(), same.end(), 0);
  return same;
}

/// What the model says about the elements of an orbit, brought back to the structure as it is.
struct Answers {
  std::vector<double> energy;             ///< [elements] without E0, eV
  std::vector<std::vector<Vec3>> forces;  ///< [elements][atoms]
};

Answers ask(const CheckedPotential& potential, const Orbit& orbit, const NamedStructure& named) {
  Answers answers;
  for (const OrbitElement& element : orbit.elements) {
    Observables o = potential.evaluate(element.apply(named.structure));
    bool finite = std::isfinite(o.energy);
    for (const Vec3& f : o.forces) finite &= std::isfinite(dot(f, f));
    require(finite, "{}: the model's energy or forces are NaN or infinite", named.name);
    answers.energy.push_back(o.energy);
    answers.forces.push_back(element.back(o.forces));
  }
  return answers;
}

std::vector<double> energy_errors(const Answers& answers, double reference) {
  std::vector<double> errors;
  for (const double e : answers.energy) errors.push_back(std::abs(e - reference));
  return errors;
}

std::vector<double> force_errors(const Answers& answers, const std::vector<Vec3>& reference) {
  std::vector<double> errors;
  for (const auto& forces : answers.forces) {
    double sum = 0;
    for (std::size_t i = 0; i < reference.size(); ++i) {
      const Vec3 d = forces[i] - reference[i];
      sum += dot(d, d);
    }
    errors.push_back(std::sqrt(sum / static_cast<double>(reference.size())));
  }
  return errors;
}

OrbitErrors against_consensus(const Answers& answers) {
  // Differences from the first answer are averaged: sums of large energies would round.
  const double count = static_cast<double>(answers.energy.size());
  double energy = 0;
  std::vector<Vec3> forces(answers.forces[0].size(), Vec3{});
  for (std::size_t k = 0; k < answers.energy.size(); ++k) {
    energy += (answers.energy[k] - answers.energy[0]) / count;
    for (std::size_t i = 0; i < forces.size(); ++i)
      forces[i] = forces[i] + (1 / count) * (answers.forces[k][i] - answers.forces[0][i]);
  }
  for (std::size_t i = 0; i < forces.size(); ++i) forces[i] = forces[i] + answers.forces[0][i];
  return {energy_errors(answers, answers.energy[0] + energy), force_errors(answers, forces)};
}

}  // namespace

Structure OrbitElement::apply(const Structure& s) const {
  Structure image;
  image.cell = s.cell;
  image.periodic = s.periodic;
  image.charge = s.charge;
  image.multiplicity = s.multiplicity;
  for (Vec3& row : image.cell) row = matrix * row;
  for (const int i : permutation(s.size(), order)) {
    image.numbers.push_back(s.numbers[i]);
    image.positions.push_back(matrix * s.positions[i] + shift);
  }
  return image;
}

std::vector<Vec3> OrbitElement::back(const std::vector<Vec3>& forces) const {
  Mat3 inverse;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) inverse[a][b] = matrix[b][a];
  const std::vector<int> from = permutation(static_cast<int>(forces.size()), order);
  std::vector<Vec3> original(forces.size());
  for (std::size_t k = 0; k < forces.size(); ++k) original[from[k]] = inverse * forces[k];
  return original;
}

Orbit rotation_orbit(int step) {
  Orbit orbit{"rotation", {"plane", "axis_degrees", "angle_degrees"}, {}};
  for (int plane = 0; plane < 3; ++plane) {
    for (int axis = 0; axis < 360; axis += step) {
      for (int angle = 0; angle <= 180; angle += step) {
        orbit.elements.push_back({{planes[plane], fmt::format("{}", axis), fmt::format("{}", angle)},
                                  rotation_about(direction(plane, axis), angle)});
      }
    }
  }
  return orbit;
}

Orbit reflection_orbit(int step) {
  Orbit orbit{"reflection", {"plane", "normal_degrees", "mirrored"}, {}};
  for (int plane = 0; plane < 3; ++plane) {
    for (int normal = 0; normal < 180; normal += step) {
      const std::string at = fmt::format("{}", normal);
      orbit.elements.push_back({{planes[plane], at, "0"}});
      orbit.elements.push_back({{planes[plane], at, "1"}, mirror(direction(plane, normal))});
    }
  }
  return orbit;
}

Orbit translation_orbit() {
  Orbit orbit{"translation", {"direction", "shift_angstrom"}, {}};
  for (int d = 0; d < 3; ++d) {
    for (int shift = -10; shift <= 10; ++shift) {
      OrbitElement& element = orbit.elements.emplace_back();
      element.place = {std::string(1, "xyz"[d]), fmt::format("{}", shift)};
      element.shift[d] = shift;
    }
  }
  return orbit;
}

Orbit permutation_orbit(int count) {
  Orbit orbit{"permutation", {"permutation"}, {}};
  for (int k = 0; k < count; ++k) {
    OrbitElement& element = orbit.elements.emplace_back();
    element.place = {fmt::format("{}", k)};
    element.order = k;
  }
  return orbit;
}

std::vector<Orbit> all_orbits(int step) {
  require(step >= 1 && step <= 180 && 180 % step == 0, "--step: expected a divisor of 180 degrees, found {}", step);
  constexpr int permutations = 64;
  return {rotation_orbit(step), reflection_orbit(step), translation_orbit(), permutation_orbit(permutations)};
}

OrbitMeasurement measure_orbit(const CheckedPotential& potential, const Orbit& orbit, const NamedStructure& named) {
  const Structure& s = named.structure;
  const Answers answers = ask(potential, orbit, named);
  OrbitMeasurement measured;
  measured.consensus = against_consensus(answers);
  if (s.energy) {
    double isolated = 0;
    const SpeciesMap species(potential.info.elements);
    for (const int number : s.numbers) isolated += potential.info.atomic_energies[species(number)];
    measured.labels.energy = energy_errors(answers, *s.energy - isolated);
  }
  if (!s.forces.empty()) measured.labels.forces = force_errors(answers, s.forces);
  return measured;
}

OrbitSummary summarise(const std::vector<std::vector<double>>& errors) {
  OrbitSummary summary;
  double structures = 0, count = 0, variances = 0;
  for (const auto& of_structure : errors) {
    if (of_structure.empty()) continue;
    const double n = static_cast<double>(of_structure.size());
    double sum = 0, square = 0;
    for (const double e : of_structure) sum += e, summary.max = std::max(summary.max, e);
    for (const double e : of_structure) square += (e - sum / n) * (e - sum / n);
    summary.mean += sum;
    count += n;
    variances += square / n;
    structures += 1;
  }
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  if (structures == 0) return {none, none, none};
  return {summary.mean / count, summary.max, std::sqrt(variances / structures)};
}

}  // namespace isotrope
