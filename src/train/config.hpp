// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/potential.hpp"

namespace isotrope {

/// A data set, or one set of the split that is stored in it.
struct DataFile {
  std::string file;
  std::string split;  ///< "": all structures
};

/// What a training file says (docs/training.md explains each key). Units: Å, eV, eV/Å, eV/Å^3.
struct DataConfig {
  std::vector<DataFile> train;
  std::vector<DataFile> validation;  ///< empty: a fraction of the training structures, or none
  double validation_fraction = 0;    ///< in [0, 1); 0 and no files: no validation
  std::uint64_t validation_seed = 0;
  bool validation_by_group = false;  ///< the fraction is made of whole groups (trajectories)
  bool split_is_stated = false;      ///< the file says by: structure or by: group

  enum class AtomicEnergies { file, training_set, least_squares, table };
  AtomicEnergies atomic_energies = AtomicEnergies::least_squares;
  std::string isolated_atoms;              ///< the file
  std::map<std::string, double> e0_table;  ///< symbol -> eV
  bool train_on_isolated_atoms = false;

  std::map<std::string, double> weights;                                        ///< factor of a config_type
  bool missing_energy = false, missing_forces = false, missing_stress = false;  ///< allowed to be masked

  std::size_t memory = std::size_t{1} << 30;  ///< bytes of structures and graphs that a rank may hold
  int workers = 1;                            ///< threads that make graphs
};

/// How a residual enters the loss: mse x^2, mae |x|, huber (quadratic within delta); for forces also norm
/// |F_i - F_i*| of an atom, and rmse sqrt(mean over the atoms i of |F_i - F_i*|^2) of a structure.
struct PenaltyConfig {
  enum class Kind { mse, mae, huber, norm, rmse };
  Kind kind = Kind::mse;
  double delta = 0.01;  ///< of huber, in the unit of the residual
};

struct LossConfig {
  double energy = 1, forces = 100, stress = 0;  ///< weights of the three terms
  double direct_forces = 0;     ///< and of direct forces beside gradient forces, in a model that has both
  bool energy_per_atom = true;  ///< the residual of the energy is divided by the number of atoms
  PenaltyConfig energy_penalty, forces_penalty, stress_penalty;
};

struct OptimiserConfig {
  double learning_rate = 0.01;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled_decay = false;  ///< adamw; else the decay is added to the gradient
  bool amsgrad = true;
  double gradient_clip = 0;  ///< largest norm of the gradient; 0: none
};

struct ScheduleConfig {
  enum class Kind { constant, plateau, cosine, exponential };
  enum class Unit { steps, epochs, seconds };
  Kind kind = Kind::constant;
  int warmup_steps = 0;     ///< linear from 0
  double minimum = 0;       ///< smallest learning rate (plateau, cosine, exponential)
  double factor = 0.8;      ///< plateau: by which it falls; exponential: per unit
  int patience = 10;        ///< plateau: validations without a better loss before it falls
  Unit unit = Unit::steps;  ///< of length (cosine) and factor (exponential)
  double length = 0;        ///< cosine: where it reaches the minimum
};

/// "10 epochs", "500 steps"; 0: never.
struct Interval {
  int count = 0;
  enum class Unit { steps, epochs } unit = Unit::epochs;
};

struct TrainConfig {
  std::string file;  ///< where it was read from
  DataConfig data;
  nlohmann::json model;  ///< handed to create_model
  LossConfig loss;
  OptimiserConfig optimiser;
  ScheduleConfig schedule;
  double ema_decay = 0;      ///< 0: none
  int batch_structures = 0;  ///< one of the three is positive
  int batch_atoms = 0;
  int batch_edges = 0;
  std::int64_t epochs = 0, steps = 0;  ///< 0: not a limit
  double time_limit = 0;               ///< s; 0: not a limit
  std::uint64_t seed = 0;
  Precision precision = Precision::double_precision;
  std::string output;  ///< the model file
  Interval validate_every{1, Interval::Unit::epochs};
  Interval checkpoint_every{0, Interval::Unit::epochs};
};

/// Reads and checks a training file. Paths of data are relative to the folder of the file, `output` to the current one.
/// Throws with file, line, key and, for an unknown key, the nearest known one.
TrainConfig read_config(const std::string& file);

/// Everything with its defaults filled in, in the order of the file: for --dry-run and the training record.
nlohmann::ordered_json to_json(const TrainConfig& config);
/// The part that a resumed run must share: all but where to stop and what to write when.
nlohmann::ordered_json identity_json(const TrainConfig& config);
/// The same as YAML text.
std::string to_yaml(const nlohmann::ordered_json& json);

}  // namespace isotrope
