// SPDX-License-Identifier: MIT
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "geometry/structure.hpp"
#include "io/hdf5.hpp"
#include "io/model_file.hpp"

/// The fixtures of scripts/make_tdn_fixtures.py: models, and what the authors' program computes with them.
namespace isotrope::testing {

struct TdnOutputs {
  std::vector<double> energy;        ///< [molecules]
  std::vector<Vec3> forces, direct;  ///< [atoms with neighbours]
};

struct TdnCase {
  std::string name;
  std::vector<Structure> molecules;
  std::vector<int> kept;              ///< [atoms] whether the atom has neighbours
  std::vector<int> sender, receiver;  ///< [edges] among the atoms with neighbours
  TdnOutputs cp, exact;               ///< with the factors of the file, and with the exact tensor
  std::map<std::string, std::vector<double>> intermediate;
};

struct TdnTraining {
  std::vector<double> gradient, losses;  ///< [parameters] or empty; [11][energy, forces]
};

struct TdnFixture {
  ModelRecord model;
  std::vector<double> tensor, exact_tensor;
  std::vector<TdnCase> cases;
  std::vector<double> label_energy;
  std::vector<Vec3> label_forces;
  TdnTraining gradient, direct;

  const TdnCase& named(const std::string& name) const {
    for (const TdnCase& c : cases)
      if (c.name == name) return c;
    fail("no case {}", name);
  }
};

inline std::vector<double> all_numbers(const hdf5::Group& group, const std::string& name) {
  return group.read<double>(name, group.shape(name));
}
inline std::vector<Vec3> vectors(const std::vector<double>& flat) {
  std::vector<Vec3> rows(flat.size() / 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]};
  return rows;
}

inline TdnOutputs read_outputs(const hdf5::Group& group) {
  return {all_numbers(group, "energy"), vectors(all_numbers(group, "forces")),
          vectors(all_numbers(group, "forces_direct"))};
}

inline TdnCase read_case(const hdf5::Group& group, const std::string& name) {
  TdnCase c;
  c.name = name;
  const auto numbers = group.read<int>("numbers", {hdf5::any}), batch = group.read<int>("batch", {hdf5::any});
  const auto positions = vectors(all_numbers(group, "positions"));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    c.molecules.resize(batch[i] + 1);
    c.molecules[batch[i]].numbers.push_back(numbers[i]);
    c.molecules[batch[i]].positions.push_back(positions[i]);
  }
  c.kept = group.read<int>("node_mask", {hdf5::any});
  const auto edges = group.read<int>("edge_index", {2, hdf5::any});
  c.sender.assign(edges.begin(), edges.begin() + edges.size() / 2);
  c.receiver.assign(edges.begin() + edges.size() / 2, edges.end());
  c.cp = read_outputs(group);
  c.exact = read_outputs(group.group("exact_cg"));
  if (group.has("intermediate")) {
    const hdf5::Group intermediate = group.group("intermediate");
    for (const std::string& name : intermediate.members()) c.intermediate[name] = all_numbers(intermediate, name);
  }
  return c;
}

inline TdnTraining read_training(const hdf5::Group& group) {
  return {group.has("gradient") ? all_numbers(group, "gradient") : std::vector<double>{}, all_numbers(group, "losses")};
}

inline TdnFixture read_tdn_fixture(const std::string& name) {
  const std::string path = std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/tdn/" + name;
  TdnFixture fixture;
  fixture.model = read_model(path + ".h5");
  const hdf5::File file = hdf5::File::open(path + "_expected.h5");
  fixture.tensor = all_numbers(file, "tensor");
  fixture.exact_tensor = all_numbers(file, "exact_tensor");
  const hdf5::Group cases = file.group("cases");
  for (const std::string& c : cases.members()) fixture.cases.push_back(read_case(cases.group(c), c));
  if (file.has("training")) {
    const hdf5::Group training = file.group("training");
    fixture.label_energy = all_numbers(training, "label_energy");
    fixture.label_forces = vectors(all_numbers(training, "label_forces"));
    fixture.gradient = read_training(training.group("gradient"));
    fixture.direct = read_training(training.group("direct"));
  }
  return fixture;
}

}  // namespace isotrope::testing
