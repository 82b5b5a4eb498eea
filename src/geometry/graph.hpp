// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "geometry/structure.hpp"

namespace isotrope {

/// A batch of structures, or one LAMMPS sub-domain, as a neighbour graph in compressed rows by receiving atom. Plain
/// C++: it may be built on any thread. In training there are no ghosts (images live in `r`); in LAMMPS atoms are its
/// local indices.
struct Graph {
  int owned = 0;  ///< atoms whose energies are computed
  int total = 0;  ///< owned atoms and ghosts
  std::vector<int>
      species;  ///< [total] index into the model's elements; -1: an atom of another potential, without edges
  std::vector<std::int64_t> first;  ///< [owned + 1] row starts into `neighbour`
  std::vector<int> neighbour;       ///< [edges] sending atom, 0 <= j < total
  std::vector<Vec3> r;              ///< [edges] r_ij from the receiver to the neighbour, Å, in double
  std::vector<Vec3> position;       ///< [owned] Å, [total] for models without a cutoff, whose graphs have no edges
  int graphs = 1;
  std::vector<int> graph;         ///< [owned] which structure an atom belongs to
  std::vector<int> curve;         ///< [owned] atoms of a structure, one after the other, so that neighbours come soon
  std::vector<double> volume;     ///< [graphs] Å^3; 0 where not fully periodic
  std::vector<int> charge;        ///< [graphs] e
  std::vector<int> multiplicity;  ///< [graphs] 2S+1
  /// What a structure has once (charge, multiplicity) is computed here: on one rank of those that share a structure.
  bool has_prefix = true;

  std::int64_t edges() const { return static_cast<std::int64_t>(neighbour.size()); }
  bool operator==(const Graph&) const = default;
};

/// Maps atomic numbers to the model's species; throws where an element is not of the model.
class SpeciesMap {
 public:
  explicit SpeciesMap(std::vector<int> elements);
  int operator()(int atomic_number) const;  ///< throws Error naming the element and those that the model knows
  int find(int atomic_number) const;        ///< -1 where absent
  const std::vector<int>& elements() const { return elements_; }

 private:
  std::vector<int> elements_;
  std::vector<int> index_;
};

/// The graph of several structures, one after the other, every pair within `cutoff` (Å) including periodic images; no
/// edges where the cutoff is 0.
/// Missing charge and multiplicity are stored as 0 and 1: whoever needs them checks the labels first.
Graph make_graph(std::span<const Structure* const> structures, const SpeciesMap& species, double cutoff);
Graph make_graph(const Structure& structure, const SpeciesMap& species, double cutoff);

}  // namespace isotrope
