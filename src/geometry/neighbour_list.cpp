// SPDX-License-Identifier: MIT
#include "geometry/neighbour_list.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "geometry/cell.hpp"

namespace isotrope {
namespace {

/// Up to here a plain double loop beats the bins for an isolated molecule.
constexpr int small_molecule = 64;
/// Bins along one direction: three of these fit into 63 bits. Wider bins are slower, never wrong.
constexpr double max_bins = 1 << 20;
constexpr double coincidence = 1e-6;  // Å
constexpr double largest_coordinate = 1e9;

void check_input(const Structure& structure, double cutoff) {
  require(std::isfinite(cutoff) && cutoff > 0, "The cutoff of a neighbour list must be a positive length, found {} Å.",
          cutoff);
  require(structure.positions.size() == structure.numbers.size(),
          "A structure must have one position an atom: found {} positions and {} atomic numbers.",
          structure.positions.size(), structure.numbers.size());
  for (std::size_t i = 0; i < structure.positions.size(); ++i) {
    const Vec3& p = structure.positions[i];
    for (double x : p) {
      require(std::abs(x) < largest_coordinate,
              "The position of atom {} is ({}, {}, {}) Å: expected finite numbers below 1e9; look for a broken frame.",
              i + 1, p[0], p[1], p[2]);
    }
  }
}

[[noreturn]] void fail_coincident(int i, int j, double distance) {
  fail("Atoms {} and {} are at the same place ({:.1e} Å apart, periodic images included): remove one of them.",
       std::min(i, j) + 1, std::max(i, j) + 1, distance);
}

NeighbourList search_small_molecule(const std::vector<Vec3>& positions, double cutoff) {
  const int n = static_cast<int>(positions.size());
  NeighbourList list;
  list.first.reserve(n + 1);
  list.first.push_back(0);
  list.neighbour.reserve(n * std::max(n - 1, 0));
  list.r.reserve(n * std::max(n - 1, 0));
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      const Vec3 r = positions[j] - positions[i];
      const double r2 = dot(r, r);
      if (r2 >= cutoff * cutoff || j == i) continue;
      if (r2 < coincidence * coincidence) fail_coincident(i, j, std::sqrt(r2));
      list.neighbour.push_back(j);
      list.r.push_back(r);
    }
    list.first.push_back(static_cast<std::int64_t>(list.neighbour.size()));
  }
  return list;
}

/// Atoms wrapped into the cell and sorted by bins. Bins are parallel to the cell, at least one cutoff thick where the
/// cell allows it; only occupied ones are stored, so atoms far apart cost no memory.
struct Bins {
  std::array<int, 3> count{};   ///< bins along each direction
  std::array<int, 3> search{};  ///< how many bins away a neighbour can be
  std::vector<Vec3> wrapped;    ///< [atoms] Å
  std::vector<int> atom;        ///< [atoms] sorted by (bin, index)
  std::vector<std::int64_t> key;
  std::vector<int> start;  ///< [bins + 1] into `atom`

  std::int64_t key_of(const std::array<int, 3>& b) const {
    return (static_cast<std::int64_t>(b[0]) * count[1] + b[1]) * count[2] + b[2];
  }
  std::array<int, 3> position_of(std::int64_t k) const {
    return {static_cast<int>(k / count[2] / count[1]), static_cast<int>(k / count[2] % count[1]),
            static_cast<int>(k % count[2])};
  }
  /// Index of an occupied bin, -1 for an empty one.
  int find(std::int64_t k) const {
    const auto it = std::lower_bound(key.begin(), key.end(), k);
    return it != key.end() && *it == k ? static_cast<int>(it - key.begin()) : -1;
  }
};

void sort_into_bins(Bins& bins, const std::vector<std::int64_t>& key_of_atom) {
  const int n = static_cast<int>(key_of_atom.size());
  std::vector<std::pair<std::int64_t, int>> order(n);
  for (int i = 0; i < n; ++i) order[i] = {key_of_atom[i], i};
  std::sort(order.begin(), order.end());
  bins.atom.resize(n);
  for (int s = 0; s < n; ++s) {
    bins.atom[s] = order[s].second;
    if (s == 0 || order[s].first != order[s - 1].first) {
      bins.key.push_back(order[s].first);
      bins.start.push_back(s);
    }
  }
  bins.start.push_back(n);
}

/// Moves the atom into the cell and returns its fractional coordinates. Twice, because from far away the first move is
/// only as exact as the position.
Vec3 wrap(Vec3& position, const Mat3& cell, const Mat3& reciprocal, const std::array<bool, 3>& periodic) {
  for (int pass = 0; pass < 2; ++pass) {
    const Vec3 f = reciprocal * position;
    for (int k = 0; k < 3; ++k) {
      if (periodic[k]) position = position - std::floor(f[k]) * cell[k];
    }
  }
  return reciprocal * position;
}

Bins make_bins(const Structure& structure, const Mat3& cell, double cutoff) {
  const auto& periodic = structure.periodic;
  const int n = structure.size();
  const Mat3 reciprocal = reciprocal_rows(cell);

  Bins bins;
  bins.wrapped = structure.positions;
  std::vector<Vec3> fraction(n);
  Vec3 lowest{}, highest{};
  for (int i = 0; i < n; ++i) {
    fraction[i] = wrap(bins.wrapped[i], cell, reciprocal, periodic);
    for (int k = 0; k < 3; ++k) {
      lowest[k] = i == 0 ? fraction[i][k] : std::min(lowest[k], fraction[i][k]);
      highest[k] = i == 0 ? fraction[i][k] : std::max(highest[k], fraction[i][k]);
    }
  }

  const double reach = cutoff * (1 + 1e-9);  // rounding never puts a neighbour out of reach
  Vec3 origin{}, extent{};
  for (int k = 0; k < 3; ++k) {
    origin[k] = periodic[k] ? 0 : lowest[k];
    extent[k] = periodic[k] ? 1 : std::max(highest[k] - lowest[k], 1e-3);
    const double thickness = extent[k] / std::sqrt(dot(reciprocal[k], reciprocal[k]));
    bins.count[k] = static_cast<int>(std::clamp(std::floor(thickness / reach), 1.0, max_bins));
    bins.search[k] = static_cast<int>(std::ceil(reach * bins.count[k] / thickness));
    if (!periodic[k]) bins.search[k] = std::min(bins.search[k], bins.count[k] - 1);
  }

  std::vector<std::int64_t> key_of_atom(n);
  for (int i = 0; i < n; ++i) {
    std::array<int, 3> b;
    for (int k = 0; k < 3; ++k) {
      const int index = static_cast<int>((fraction[i][k] - origin[k]) / extent[k] * bins.count[k]);
      b[k] = std::clamp(index, 0, bins.count[k] - 1);
    }
    key_of_atom[i] = bins.key_of(b);
  }
  sort_into_bins(bins, key_of_atom);
  return bins;
}

/// What may be a neighbour of the atoms of one bin, one array a component so that the distance loop is vectorised.
struct Candidates {
  std::vector<std::uint64_t> order;  ///< atom, then order of collection
  std::vector<Vec3> shift_of;        ///< by order of collection
  std::vector<int> atom;
  std::vector<double> x, y, z;     ///< wrapped position
  std::vector<double> sx, sy, sz;  ///< image, as a translation
  std::vector<double> r2;

  int size() const { return static_cast<int>(atom.size()); }

  void clear() {
    order.clear();
    shift_of.clear();
  }
  void add(int j, const Vec3& shift) {
    order.push_back(static_cast<std::uint64_t>(j) << 32 | shift_of.size());
    shift_of.push_back(shift);
  }
  /// Images are collected in ascending order, so this sorts by (atom, image).
  void sort_and_load(const std::vector<Vec3>& wrapped) {
    std::sort(order.begin(), order.end());
    const std::size_t n = order.size();
    atom.resize(n);
    for (auto* v : {&x, &y, &z, &sx, &sy, &sz, &r2}) v->resize(n);
    for (std::size_t c = 0; c < n; ++c) {
      const int j = static_cast<int>(order[c] >> 32);
      const Vec3& shift = shift_of[order[c] & 0xffffffffu];
      atom[c] = j;
      x[c] = wrapped[j][0], y[c] = wrapped[j][1], z[c] = wrapped[j][2];
      sx[c] = shift[0], sy[c] = shift[1], sz[c] = shift[2];
    }
  }
  /// The difference first, then the image: so r_ji is -r_ij to the last bit.
  Vec3 vector_from(const Vec3& p, int c) const {
    return {(x[c] - p[0]) + sx[c], (y[c] - p[1]) + sy[c], (z[c] - p[2]) + sz[c]};
  }
  void measure_from(const Vec3& p) {
    const int n = size();
    double* __restrict out = r2.data();
    for (int c = 0; c < n; ++c) {
      const Vec3 r = vector_from(p, c);
      out[c] = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    }
  }
};

void collect_candidates(const Bins& bins, const Structure& structure, const Mat3& cell, int bin, Candidates& out) {
  out.clear();
  const std::array<int, 3> centre = bins.position_of(bins.key[bin]);
  std::array<int, 3> offset, b;
  Vec3 shift[4] = {};  // of the directions before k
  // Bin index and image of one direction; false beyond the end of an open one.
  const auto step = [&](int k) {
    const int raw = centre[k] + offset[k], n = bins.count[k];
    const int image = raw >= 0 ? raw / n : -((n - 1 - raw) / n);
    if (image != 0 && !structure.periodic[k]) return false;
    b[k] = raw - image * n;
    shift[k + 1] = shift[k] + static_cast<double>(image) * cell[k];
    return true;
  };
  for (offset[0] = -bins.search[0]; offset[0] <= bins.search[0]; ++offset[0]) {
    if (!step(0)) continue;
    for (offset[1] = -bins.search[1]; offset[1] <= bins.search[1]; ++offset[1]) {
      if (!step(1)) continue;
      for (offset[2] = -bins.search[2]; offset[2] <= bins.search[2]; ++offset[2]) {
        if (!step(2)) continue;
        const int other = bins.find(bins.key_of(b));
        if (other < 0) continue;
        for (int s = bins.start[other]; s < bins.start[other + 1]; ++s) out.add(bins.atom[s], shift[3]);
      }
    }
  }
  out.sort_and_load(bins.wrapped);
}

/// Pairs in the order in which the bins were visited.
struct Pairs {
  std::vector<std::int64_t> begin, count;  ///< [atoms]
  std::vector<int> neighbour;
  std::vector<Vec3> r;
};

void search_from_atom(int i, const Vec3& position, Candidates& candidates, double cutoff, Pairs& pairs) {
  pairs.begin[i] = static_cast<std::int64_t>(pairs.neighbour.size());
  candidates.measure_from(position);
  for (int c = 0; c < candidates.size(); ++c) {
    const double r2 = candidates.r2[c];
    if (r2 >= cutoff * cutoff) continue;
    const int j = candidates.atom[c];
    const Vec3 r = candidates.vector_from(position, c);
    if (r2 < coincidence * coincidence) {
      if (j != i) fail_coincident(i, j, std::sqrt(r2));
      continue;
    }
    pairs.neighbour.push_back(j);
    pairs.r.push_back(r);
  }
  pairs.count[i] = static_cast<std::int64_t>(pairs.neighbour.size()) - pairs.begin[i];
}

NeighbourList in_order_of_atoms(const Pairs& pairs) {
  const std::size_t n = pairs.begin.size();
  NeighbourList list;
  list.first.assign(n + 1, 0);
  for (std::size_t i = 0; i < n; ++i) list.first[i + 1] = list.first[i] + pairs.count[i];
  list.neighbour.reserve(pairs.neighbour.size());
  list.r.reserve(pairs.r.size());
  for (std::size_t i = 0; i < n; ++i) {
    const auto begin = pairs.begin[i], end = begin + pairs.count[i];
    list.neighbour.insert(list.neighbour.end(), pairs.neighbour.begin() + begin, pairs.neighbour.begin() + end);
    list.r.insert(list.r.end(), pairs.r.begin() + begin, pairs.r.begin() + end);
  }
  return list;
}

}  // namespace

NeighbourList build_neighbour_list(const Structure& structure, double cutoff) {
  check_input(structure, cutoff);
  const auto& periodic = structure.periodic;
  const int n = structure.size();
  if (!periodic[0] && !periodic[1] && !periodic[2] && n <= small_molecule) {
    return search_small_molecule(structure.positions, cutoff);
  }
  const Mat3 cell = complete_cell(structure.cell, periodic);
  const Bins bins = make_bins(structure, cell, cutoff);
  Pairs pairs;
  pairs.begin.resize(n);
  pairs.count.resize(n);
  Candidates candidates;
  for (int bin = 0; bin < static_cast<int>(bins.key.size()); ++bin) {
    collect_candidates(bins, structure, cell, bin, candidates);
    for (int s = bins.start[bin]; s < bins.start[bin + 1]; ++s) {
      search_from_atom(bins.atom[s], bins.wrapped[bins.atom[s]], candidates, cutoff, pairs);
    }
  }
  return in_order_of_atoms(pairs);
}

}  // namespace isotrope
