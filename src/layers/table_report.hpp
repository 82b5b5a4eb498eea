// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope {

/// How close tabulated radial functions are to the networks that they stand for.
struct TableReport {
  int knots = 0;                            ///< of the largest table
  double value_error = 0, slope_error = 0;  ///< largest, relative to the largest value and slope

  void include(const TableReport& other);
};

}  // namespace isotrope
