// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "core/vec3.hpp"
#include "geometry/graph.hpp"
#include "layers/halo.hpp"
#include "layers/table_report.hpp"
#include "models/model_record.hpp"

namespace isotrope {

enum class Precision { single_precision, double_precision };
enum class Symmetry { o3, so3, none };
/// Forces are the derivative of the energy, or direct: an output of their own, for which there is no virial and no
/// conserved energy.
enum class Forces { gradient, direct };
const char* name_of(Forces kind);

struct PotentialInfo {
  std::string architecture;
  std::vector<int> elements;            ///< atomic numbers, in species order
  std::vector<double> atomic_energies;  ///< [elements] E0, eV
  double cutoff = 0;                    ///< Å; 0: none, every atom of a molecule sees every other
  Symmetry symmetry = Symmetry::o3;
  bool smooth_cutoff = true;          ///< energy and forces have no jump where an atom crosses the cutoff
  bool gradient_forces = true;        ///< evaluate() gives dE/dr
  bool direct_forces = false;         ///< evaluate() gives direct forces
  Forces forces = Forces::gradient;   ///< which of them are the model's answer
  std::vector<int> charges{};         ///< that the model was made for, ascending; empty: it does not read them
  std::vector<int> multiplicities{};  ///< likewise
  int latent_width = 0;               ///< of Result::latent; 0: the model has none
  int message_passing_layers = 0;     ///< how many halo exchanges a pass makes
};

/// Scratch of one caller; reused from call to call, so that a step allocates nothing once sizes have settled.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

/// What inference in single precision uses unless it is told otherwise: well below the rounding of the network.
inline constexpr double default_table_tolerance = 4e-8;

struct Result {
  std::vector<double> atom_energy;  ///< [owned] interaction energy (without E0), eV; 0 for species -1
  std::vector<Vec3> dE_dr;          ///< [edges] derivative of the total energy by r_ij, eV/Å; empty: not given
  std::vector<Vec3> direct_forces;  ///< [owned] eV/Å, 0 for species -1; empty: not given
  /// [owned] dE/dr_i, eV/Å, of a model without a cutoff, in place of dE_dr; 0 for species -1; empty: not given.
  std::vector<Vec3> position_gradient;
  bool want_latent = false;    ///< set by the caller
  std::vector<double> latent;  ///< [owned][latent_width] features after the last layer, or after all, where wanted
};

/// Derivatives of a scalar loss by the outputs of evaluate(), handed to the second pass (docs/theory.md, "forces in the
/// loss").
struct LossTangent {
  std::vector<Vec3> dr;        ///< [edges] direction in which r_ij moves: -(v_j - v_i) + S r_ij / V with v = dL/dF, S =
                               ///< dL/d(stress); empty: no derivative of the energy is in the loss
  std::vector<double> energy;  ///< [graphs] dL/dE
  std::vector<Vec3> direct_forces;  ///< [owned] dL/dF of direct forces; empty: they are not in the loss
  std::vector<Vec3>
      position;  ///< [owned] in place of dr for a model without a cutoff: direction in which r_i moves, -v_i
  std::vector<double> latent;  ///< [owned][latent_width] dL/d(latent); empty: it is not in the loss
};

/// One contract for the pair style, the trainer, the command line and the tests. Weights in the potential, scratch in
/// the workspace. One thread at a time: Debian's Kokkos has no thread-safe reference counts.
class Potential {
 public:
  virtual ~Potential() = default;
  virtual const PotentialInfo& info() const = 0;
  virtual std::unique_ptr<Workspace> make_workspace() const = 0;

  /// Energies and their derivatives. Every rank calls it, with or without atoms, and makes the same halo calls.
  virtual void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const = 0;

  /// Adds to `gradient` [parameters] the exact derivative of the loss by every parameter. No ghosts.
  virtual void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                                 std::span<double> gradient) const = 0;

  /// New values, in the order of the record's table; rebuilds what is derived from them.
  virtual void set_parameters(std::span<const double> values) = 0;

  /// Where a model has both kinds of forces: from now on evaluate() gives the chosen kind alone, as the answer. Throws
  /// where it does not have that kind.
  virtual void use_forces(Forces kind);

  /// From now on evaluate() reads radial functions from tables whose relative error is below `tolerance`, until the
  /// parameters change. For inference: faster, but no longer exact. A model without radial networks stays as it is and
  /// returns nothing.
  virtual std::optional<TableReport> tabulate_radial(double /*tolerance*/) { return std::nullopt; }
};

/// Numbers of a training set that a fresh model starts from.
struct DataStatistics {
  std::vector<int> elements;                     ///< atomic numbers, ascending
  std::vector<double> atomic_energies;           ///< [elements] E0, eV
  double average_neighbours = 1;                 ///< edges per atom within the cutoff
  double force_rms = 1;                          ///< of the labels (or of what the baseline leaves), eV/Å
  std::vector<int> charges{}, multiplicities{};  ///< that are labelled, ascending
};

/// The registry (models/registry.cpp) is where an architecture is added.
std::vector<std::string> architectures();
/// Whether models of the architecture may have no cutoff and see whole molecules.
bool can_do_without_cutoff(const std::string& architecture);
/// A fresh model with random weights. `config` is the `model` section of the training file; unknown keys throw, naming
/// the nearest.
ModelRecord create_model(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed);
/// Throws for an architecture that this build does not know, or a record whose tables do not fit together.
std::unique_ptr<Potential> make_potential(const ModelRecord& record, Precision precision);

}  // namespace isotrope
