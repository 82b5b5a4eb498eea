// SPDX-License-Identifier: MIT
#pragma once
#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "io/model_file.hpp"
#include "train/views.hpp"

/// The fixtures of scripts/make_transip_fixtures.py: a model, structures, and what its PyTorch twin computes.
namespace isotrope::testing {

struct TransipStructure {
  Structure structure;
  std::string name;
  double energy = 0;  ///< interaction energy, eV
  std::vector<double> atom_energies, latent;
  std::vector<Vec3> forces;
};

struct TransipTraining {
  LossConfig loss;
  EquivarianceConfig equivariance;
  Views views;
  double value = 0, latent = 0;
  std::vector<double> gradient;
};

inline std::vector<Vec3> triples(const std::vector<double>& flat) {
  std::vector<Vec3> rows(flat.size() / 3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {flat[3 * i], flat[3 * i + 1], flat[3 * i + 2]};
  return rows;
}

class TransipFixture {
 public:
  explicit TransipFixture(const std::string& name)
      : model(read_model(path(name) + ".h5")), file_(hdf5::File::open(path(name) + "_expected.h5")) {
    const hdf5::Group group = file_.group("structures");
    for (std::size_t k = 0; k < group.members().size(); ++k)
      structures.push_back(read_structure(group.group(std::to_string(k))));
  }

  /// The batch as the trainer would make it: both views, with labels as total energies.
  TransipTraining training(const std::string& name) const {
    using hdf5::any;
    const hdf5::Group group = file_.group("training").group(name);
    TransipTraining t;
    const auto weights = group.read<double>("weights", {3});
    t.loss.energy = weights[0];
    t.loss.forces = weights[1];
    t.equivariance.latent_weight = weights[2];
    const std::string variant = group.string_attribute("variant");
    t.equivariance.latent = variant == "per_layer"  ? LatentKind::per_layer
                            : variant == "per_atom" ? LatentKind::per_atom
                                                    : LatentKind::pooled;
    t.equivariance.normalise = group.int_attribute("normalise") != 0;
    t.equivariance.both_branches = group.int_attribute("both_branches") != 0;
    t.value = group.read_scalar<double>("loss");
    t.latent = group.read_scalar<double>("latent_loss");
    t.gradient = group.read<double>("gradient", {any});
    const auto chosen = group.read<int>("structures", {any});
    const std::int64_t count = static_cast<std::int64_t>(chosen.size());
    const auto rows = triples(group.read<double>("rotations", {count, 3, 3}));
    std::vector<Mat3> rotations;
    for (int g = 0; g < count; ++g) rotations.push_back({rows[3 * g], rows[3 * g + 1], rows[3 * g + 2]});
    t.views = views(chosen, rotations, group.read<double>("energy", {count}),
                    triples(group.read<double>("forces", {any, 3})));
    return t;
  }

  ModelRecord model;
  std::vector<TransipStructure> structures;

 private:
  static std::string path(const std::string& name) {
    return std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/transip/" + name;
  }

  static TransipStructure read_structure(const hdf5::Group& group) {
    using hdf5::any;
    TransipStructure s;
    s.name = group.string_attribute("name");
    s.structure.numbers = group.read<int>("numbers", {any});
    const std::int64_t n = s.structure.size();
    s.structure.positions = triples(group.read<double>("positions", {n, 3}));
    if (group.has("cell")) {
      const auto cell = triples(group.read<double>("cell", {3, 3}));
      s.structure.cell = {cell[0], cell[1], cell[2]};
      s.structure.periodic = {true, true, true};
    }
    s.structure.charge = group.read_scalar<int>("charge");
    s.structure.multiplicity = group.read_scalar<int>("multiplicity");
    s.energy = group.read_scalar<double>("energy");
    s.atom_energies = group.read<double>("atom_energies", {n});
    s.forces = triples(group.read<double>("forces", {n, 3}));
    s.latent = group.read<double>("latent", {n, any});
    return s;
  }

  /// Structures, then the same turned.
  Views views(const std::vector<int>& chosen, const std::vector<Mat3>& rotations, const std::vector<double>& energy,
              const std::vector<Vec3>& forces) const {
    const SpeciesMap species(model.elements);
    std::vector<Structure> both;
    for (const bool turned : {false, true}) {
      std::size_t atom = 0;
      for (std::size_t g = 0; g < chosen.size(); ++g) {
        Structure s = structures[chosen[g]].structure;
        s.energy = energy[g];
        for (const int z : s.numbers) *s.energy += model.atomic_energies[species(z)];
        for (Vec3& r : s.positions) {
          s.forces.push_back(turned ? rotations[g] * forces[atom] : forces[atom]);
          if (turned) r = rotations[g] * r;
          ++atom;
        }
        both.push_back(std::move(s));
      }
    }
    Views v{{}, rotations};
    std::vector<const Structure*> pointers;
    for (const Structure& s : both) {
      v.batch.labels.append(s, 1);
      pointers.push_back(&s);
    }
    v.batch.graph = make_graph(pointers, species, model.cutoff);
    return v;
  }

  hdf5::File file_;
};

}  // namespace isotrope::testing
