// SPDX-License-Identifier: MIT
#include "geometry/graph.hpp"

#include <cmath>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "geometry/neighbour_list.hpp"
#include "geometry/space_curve.hpp"

namespace isotrope {
namespace {

void append(Graph& graph, const Structure& structure, const SpeciesMap& species, double cutoff) {
  NeighbourList list;
  if (cutoff > 0) list = build_neighbour_list(structure, cutoff);
  list.first.resize(structure.size() + 1, 0);
  const int offset = graph.owned;
  const std::int64_t edge_offset = graph.edges();
  for (int i = 0; i < structure.size(); ++i) {
    graph.species.push_back(species(structure.numbers[i]));
    graph.first.push_back(edge_offset + list.first[i + 1]);
    graph.graph.push_back(graph.graphs);
  }
  for (int j : list.neighbour) graph.neighbour.push_back(offset + j);
  graph.r.insert(graph.r.end(), list.r.begin(), list.r.end());
  graph.position.insert(graph.position.end(), structure.positions.begin(), structure.positions.end());
  for (int i : order_along_curve(structure.positions)) graph.curve.push_back(offset + i);

  const auto& periodic = structure.periodic;
  const bool has_volume = periodic[0] && periodic[1] && periodic[2];
  graph.volume.push_back(has_volume ? std::abs(determinant(structure.cell)) : 0.0);
  graph.charge.push_back(structure.charge.value_or(0));
  graph.multiplicity.push_back(structure.multiplicity.value_or(1));
  graph.owned += structure.size();
  graph.total = graph.owned;
  ++graph.graphs;
}

std::string symbols_of(const std::vector<int>& elements) {
  std::string text;
  for (int z : elements) text += (text.empty() ? "" : " ") + element_symbol(z);
  return text;
}

}  // namespace

SpeciesMap::SpeciesMap(std::vector<int> elements) : elements_(std::move(elements)), index_(number_of_elements + 1, -1) {
  for (std::size_t s = 0; s < elements_.size(); ++s) {
    int& index = index_[checked_atomic_number(elements_[s])];
    require(index < 0, "The model lists the element {} twice.", element_symbol(elements_[s]));
    index = static_cast<int>(s);
  }
}

int SpeciesMap::find(int atomic_number) const {
  return atomic_number < 1 || atomic_number > number_of_elements ? -1 : index_[atomic_number];
}

int SpeciesMap::operator()(int atomic_number) const {
  const int s = find(atomic_number);
  if (s < 0) {
    fail("The structure has the element {}, which the model does not know: it was made for {}.",
         element_symbol(checked_atomic_number(atomic_number)), symbols_of(elements_));
  }
  return s;
}

Graph make_graph(std::span<const Structure* const> structures, const SpeciesMap& species, double cutoff) {
  Graph graph;
  graph.graphs = 0;
  graph.first.push_back(0);
  for (const Structure* structure : structures) append(graph, *structure, species, cutoff);
  return graph;
}

Graph make_graph(const Structure& structure, const SpeciesMap& species, double cutoff) {
  const Structure* one = &structure;
  return make_graph(std::span<const Structure* const>(&one, 1), species, cutoff);
}

}  // namespace isotrope
