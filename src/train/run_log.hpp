// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <string>

#include "core/progress.hpp"
#include "train/loss.hpp"

namespace isotrope {

/// A point of the learning curve.
struct CurvePoint {
  std::int64_t step = 0, epoch = 0;
  double seconds = 0;
  double learning_rate = 0;
  double train_loss = 0;       ///< mean over the steps since the last point
  double validation_loss = 0;  ///< NaN without validation
  ErrorSums errors;            ///< of the validation structures
  double structures_per_second = 0;
};

/// Tells how a run goes: plain lines in the log, a line with an ETA on a terminal, and the learning curve as a CSV file
/// that is complete after every point. A silent one (other ranks) does nothing.
class RunLog {
 public:
  /// Keeps the rows of an earlier part of the run up to `resumed_step`; 0 starts a new file.
  RunLog(std::string csv_path, std::int64_t resumed_step, bool silent);

  void point(const CurvePoint& point);
  /// `fraction` of the run is done.
  void tick(double fraction, std::int64_t step, double loss);

 private:
  std::string path_;
  bool silent_;
  Progress progress_{"training"};
  double first_fraction_ = -1;  ///< of a resumed run: what was done before
};

}  // namespace isotrope
