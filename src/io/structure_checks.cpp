// SPDX-License-Identifier: MIT
#include "io/structure_checks.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/elements.hpp"
#include "core/error.hpp"

namespace isotrope {

namespace {

bool finite(double value) {
  return std::isfinite(value);
}
bool finite(const Vec3& v) {
  return finite(v[0]) && finite(v[1]) && finite(v[2]);
}
bool finite(const Mat3& m) {
  return finite(m[0]) && finite(m[1]) && finite(m[2]);
}

/// Without branches, so that the compiler takes several numbers at a time.
bool all_finite(const std::vector<Vec3>& vectors) {
  constexpr std::uint64_t exponent = 0x7ff0000000000000;
  std::uint64_t bad = 0;
  for (const Vec3& v : vectors)
    for (int d = 0; d < 3; ++d) bad |= (std::bit_cast<std::uint64_t>(v[d]) & exponent) == exponent;
  return bad == 0;
}

void check_vectors(const std::vector<Vec3>& vectors, const char* what) {
  if (all_finite(vectors)) return;
  const auto first = std::find_if(vectors.begin(), vectors.end(), [](const Vec3& v) { return !finite(v); });
  fail("NaN or infinity in the {} of atom {}", what, first - vectors.begin());
}

void check_labels(const Structure& structure) {
  require(!structure.energy || finite(*structure.energy), "the energy is NaN or infinity");
  require(structure.forces.empty() || structure.forces.size() == structure.numbers.size(),
          "expected forces on {} atoms, found {}", structure.size(), structure.forces.size());
  check_vectors(structure.forces, "forces");
  if (!structure.stress) return;
  const Mat3& s = *structure.stress;
  require(finite(s), "NaN or infinity in the stress");
  double size = 0, asymmetry = 0;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      size = std::max(size, std::abs(s[a][b]));
      asymmetry = std::max(asymmetry, std::abs(s[a][b] - s[b][a]));
    }
  }
  require(asymmetry <= 1e-3 * size + 1e-9, "expected a symmetric stress, found entries that differ by {:g} eV/Å^3",
          asymmetry);
}

void check_spin(const Structure& structure) {
  if (!structure.multiplicity) return;
  int multiplicity = *structure.multiplicity;
  require(multiplicity >= 1, "expected a multiplicity 2S+1 of 1 or more, found {}", multiplicity);
  if (!structure.charge) return;
  int electrons = std::accumulate(structure.numbers.begin(), structure.numbers.end(), 0) - *structure.charge;
  require(electrons >= multiplicity - 1 && (electrons - multiplicity + 1) % 2 == 0,
          "multiplicity {} does not agree with {} electrons (charge {}): 2S+1 is odd for an even number of electrons "
          "and even for an odd one",
          multiplicity, electrons, *structure.charge);
}

}  // namespace

void check_structure(const Structure& structure) {
  require(structure.size() > 0, "no atoms");
  for (int number : structure.numbers) {
    require(number >= 1 && number <= number_of_elements, "{} is not an atomic number", number);
  }
  require(structure.positions.size() == structure.numbers.size(), "{} positions of {} atoms",
          structure.positions.size(), structure.size());
  check_vectors(structure.positions, "position");
  require(finite(structure.cell), "NaN or infinity in the cell");
  for (int d = 0; d < 3; ++d) {
    require(!structure.periodic[d] || dot(structure.cell[d], structure.cell[d]) > 0,
            "periodic along lattice vector {}, which is zero", d + 1);
  }
  check_labels(structure);
  check_spin(structure);
  require(finite(structure.weight) && structure.weight >= 0, "expected a weight of 0 or more, found {}",
          structure.weight);
}

}  // namespace isotrope
