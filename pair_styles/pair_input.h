// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/potential.hpp"

namespace isotrope {

/// What follows `pair_style isotrope`.
struct PairSettings {
  Precision precision = Precision::double_precision;
  std::optional<bool> tabulated;    ///< radial functions; not said: in single precision
  std::optional<int> charge;        ///< e
  std::optional<int> multiplicity;  ///< 2S+1
  std::optional<Forces> forces;     ///< of a model that has both kinds; not said: the model's answer
  bool remove_net_force = false;    ///< direct forces do not sum to zero by themselves
};

/// Throws Error naming the known keywords, or what a keyword takes.
PairSettings parse_pair_settings(const std::vector<std::string>& words);

/// What `pair_coeff * * model.h5 C H NULL O` means.
struct PairModel {
  std::unique_ptr<Potential> potential;
  std::vector<int> species;  ///< [types + 1] by atom type from 1, -1: NULL
  std::string summary;       ///< lines for the log: file, architecture, cutoff, precision, element of each type
};

/// `words` are all those after `pair_coeff`. NULL makes sense only beside another pair style (`hybrid`). Reads the
/// file. Throws Error for anything that does not fit, saying what to write instead.
PairModel load_pair_model(const std::vector<std::string>& words, int types, bool hybrid, const PairSettings& settings);

}  // namespace isotrope
