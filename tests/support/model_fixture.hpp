// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

#include "geometry/structure.hpp"
#include "io/hdf5.hpp"
#include "io/model_file.hpp"

/// The fixtures of scripts/make_mace_fixtures.py and make_sevennet_fixtures.py: a model, structures, and what the
/// original program computes.
namespace isotrope::testing {

struct FixtureStructure {
  Structure structure;
  std::string name;
  std::int64_t edges = 0;
  double energy = 0;
  std::vector<double> atom_energies;
  std::vector<Vec3> forces;
  bool has_stress = false;
  Mat3 stress{};
};

struct FixtureTraining {
  std::vector<int> structures;
  std::vector<double> weights, energy, forces, stress, gradient;
  double loss = 0;
};

struct ModelFixture {
  ModelRecord model;
  std::vector<FixtureStructure> structures;
  bool has_training = false;
  FixtureTraining training;
};

inline std::vector<Vec3> rows_of_three(const std::vector<double>& flat) {
  std::vector<Vec3> rows(flat.size() / 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]};
  return rows;
}

inline Mat3 matrix_of(const std::vector<double>& flat) {
  const auto rows = rows_of_three(flat);
  return {rows[0], rows[1], rows[2]};
}

inline FixtureStructure read_structure(const hdf5::Group& group) {
  using hdf5::any;
  FixtureStructure s;
  s.name = group.string_attribute("name");
  s.structure.numbers = group.read<int>("numbers", {any});
  const std::int64_t n = s.structure.size();
  s.structure.positions = rows_of_three(group.read<double>("positions", {n, 3}));
  s.structure.cell = matrix_of(group.read<double>("cell", {3, 3}));
  const auto periodic = group.read<int>("periodic", {3});
  for (int k = 0; k < 3; ++k) s.structure.periodic[k] = periodic[k] != 0;
  s.edges = group.read_scalar<int>("edges");
  s.energy = group.read_scalar<double>("energy");
  s.atom_energies = group.read<double>("atom_energies", {n});
  s.forces = rows_of_three(group.read<double>("forces", {n, 3}));
  s.has_stress = group.has("stress");
  if (s.has_stress) s.stress = matrix_of(group.read<double>("stress", {3, 3}));
  return s;
}

/// `name` without its ending, such as mace/l0_c8.
inline ModelFixture read_fixture(const std::string& name) {
  using hdf5::any;
  const std::string path = std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/" + name;
  ModelFixture fixture;
  fixture.model = read_model(path + ".h5");
  const hdf5::File file = hdf5::File::open(path + "_expected.h5");
  const hdf5::Group structures = file.group("structures");
  for (std::size_t k = 0; k < structures.members().size(); ++k) {
    fixture.structures.push_back(read_structure(structures.group(std::to_string(k))));
  }
  fixture.has_training = file.has("training");
  if (fixture.has_training) {
    const hdf5::Group group = file.group("training");
    FixtureTraining& t = fixture.training;
    t.structures = group.read<int>("structures", {any});
    t.weights = group.read<double>("weights", {3});
    t.energy = group.read<double>("energy", {any});
    t.forces = group.read<double>("forces", {any, 3});
    t.stress = group.read<double>("stress", {any, 3, 3});
    t.gradient = group.read<double>("gradient", {any});
    t.loss = group.read_scalar<double>("loss");
  }
  return fixture;
}

}  // namespace isotrope::testing
