// SPDX-License-Identifier: MIT
#include "train/statistics.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "geometry/graph.hpp"

namespace isotrope {
namespace {

std::vector<double> from_atoms(const std::vector<Sample>& atoms, const std::vector<int>& elements,
                               const std::string& source) {
  std::map<int, const Sample*> found;
  for (const Sample& sample : atoms) {
    const Structure& s = sample.structure;
    if (!is_isolated_atom(s) || s.charge.value_or(0) != 0) continue;
    require(s.energy.has_value(), "{}: expected the energy of an isolated atom, found no energy", sample.where());
    const auto [entry, is_new] = found.try_emplace(s.numbers[0], &sample);
    const double other = *entry->second->structure.energy;
    require(is_new || std::abs(other - *s.energy) < 1e-6,
            "{}: a second isolated {} with another energy ({} eV) than that of structure {} ({} eV); keep the one that "
            "E0 is "
            "to be",
            sample.where(), element_symbol(s.numbers[0]), *s.energy, entry->second->index, other);
  }
  std::vector<double> energies;
  for (int z : elements) {
    require(found.contains(z),
            "{} has no isolated neutral atom of {}, which the training structures contain; add it, or set "
            "data.isolated_atoms: least_squares",
            source, element_symbol(z));
    energies.push_back(*found.at(z)->structure.energy);
  }
  return energies;
}

std::vector<double> from_table(const std::map<std::string, double>& table, const std::vector<int>& elements) {
  std::vector<double> energies;
  for (int z : elements) {
    const auto entry = table.find(element_symbol(z));
    require(entry != table.end(),
            "data.isolated_atoms has no energy for {}, which the training structures contain; add '{}: <eV>'",
            element_symbol(z), element_symbol(z));
    energies.push_back(entry->second);
  }
  return energies;
}

/// How many atoms of each element a structure has.
Eigen::RowVectorXd composition(const Structure& structure, const std::vector<int>& elements) {
  Eigen::RowVectorXd counts = Eigen::RowVectorXd::Zero(static_cast<Eigen::Index>(elements.size()));
  for (int z : structure.numbers) counts[std::lower_bound(elements.begin(), elements.end(), z) - elements.begin()] += 1;
  return counts;
}

void fit(const std::vector<Sample>& samples, const std::vector<int>& elements, AtomicEnergies& result) {
  std::vector<const Structure*> labelled;
  for (const Sample& sample : samples)
    if (sample.structure.energy) labelled.push_back(&sample.structure);
  require(
      !labelled.empty(),
      "data.isolated_atoms: least_squares needs energies, but no training structure has one; give the atomic energies "
      "in a table");
  const auto rows = static_cast<Eigen::Index>(labelled.size());
  Eigen::MatrixXd counts(rows, static_cast<Eigen::Index>(elements.size()));
  Eigen::VectorXd energies(rows);
  for (Eigen::Index row = 0; row < rows; ++row) {
    // Per atom, so that large structures do not dominate: the residual that is reported is the one that is minimised.
    const double atoms = labelled[row]->size();
    counts.row(row) = composition(*labelled[row], elements) / atoms;
    energies[row] = *labelled[row]->energy / atoms;
  }
  const Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> decomposition(counts);
  const Eigen::VectorXd solution = decomposition.solve(energies);
  result.energies.assign(solution.begin(), solution.end());
  result.unique = decomposition.rank() == counts.cols();
}

double residual_rms(const std::vector<Sample>& samples, const std::vector<int>& elements,
                    const std::vector<double>& energies) {
  const Eigen::Map<const Eigen::VectorXd> e0(energies.data(), static_cast<Eigen::Index>(energies.size()));
  double sum = 0, count = 0;
  for (const Sample& sample : samples) {
    const Structure& s = sample.structure;
    if (!s.energy) continue;
    const double error = (*s.energy - composition(s, elements).dot(e0)) / s.size();
    sum += error * error;
    count += 1;
  }
  return count > 0 ? std::sqrt(sum / count) : std::nan("");
}

std::vector<int> labelled(const std::vector<Sample>& samples, std::optional<int> Structure::*label) {
  std::set<int> values;
  for (const Sample& sample : samples) {
    if (const auto& value = sample.structure.*label) values.insert(*value);
  }
  return {values.begin(), values.end()};
}

}  // namespace

std::vector<int> elements_of(const std::vector<Sample>& samples) {
  std::set<int> elements;
  for (const Sample& sample : samples)
    elements.insert(sample.structure.numbers.begin(), sample.structure.numbers.end());
  return {elements.begin(), elements.end()};
}

AtomicEnergies find_atomic_energies(const DataConfig& config, const TrainingData& data,
                                    const std::vector<int>& elements) {
  AtomicEnergies result;
  switch (config.atomic_energies) {
    case DataConfig::AtomicEnergies::file:
      result.source = "isolated atoms of " + config.isolated_atoms;
      result.energies = from_atoms(data.references, elements, config.isolated_atoms);
      break;
    case DataConfig::AtomicEnergies::training_set:
      result.source = "isolated atoms of the training set";
      result.energies = from_atoms(data.isolated, elements, "the training set");
      break;
    case DataConfig::AtomicEnergies::table:
      result.source = "the table of the configuration";
      result.energies = from_table(config.e0_table, elements);
      break;
    case DataConfig::AtomicEnergies::least_squares:
      result.source = "least squares over the training structures";
      fit(data.train, elements, result);
      break;
  }
  result.residual = residual_rms(data.train, elements, result.energies);
  return result;
}

double force_rms(const std::vector<Sample>& samples) {
  double sum = 0, count = 0;
  for (const Sample& sample : samples) {
    for (const Vec3& f : sample.structure.forces) sum += dot(f, f);
    count += 3.0 * static_cast<double>(sample.structure.forces.size());
  }
  return sum > 0 ? std::sqrt(sum / count) : 1.0;
}

std::vector<int> charges_of(const std::vector<Sample>& samples) {
  return labelled(samples, &Structure::charge);
}
std::vector<int> multiplicities_of(const std::vector<Sample>& samples) {
  return labelled(samples, &Structure::multiplicity);
}

double average_neighbours(const std::vector<Sample>& samples, double cutoff) {
  const SpeciesMap species(elements_of(samples));
  double edges = 0, atoms = 0;
  for (const Sample& sample : samples) {
    edges += static_cast<double>(make_graph(sample.structure, species, cutoff).edges());
    atoms += sample.structure.size();
  }
  return edges > 0 ? edges / atoms : 1.0;
}

}  // namespace isotrope
