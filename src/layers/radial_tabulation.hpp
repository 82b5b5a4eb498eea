// SPDX-License-Identifier: MIT
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "layers/radial_table.hpp"
#include "layers/table_report.hpp"

namespace isotrope {

/// Values and slopes of a radial network at some distances, [distances][weights], weights without padding.
struct SampledRadial {
  std::vector<double> values, slopes;
};

/// A radial network as a table is made from it, evaluated in double.
struct RadialNetwork {
  std::function<SampledRadial(const std::vector<double>& distances)> sample;
  std::vector<int> channels;  ///< of each path; weights are those of one path after the other
  double kink = 0;            ///< where the curvature jumps, Å: a knot lies there (0: nowhere)
};

/// The table of a network: knots are doubled until values and slopes between them are within `tolerance` of the
/// network, relative to the largest of each. In rows every path is padded for precision T. Throws where the largest
/// table that it allows (8193 knots) does not reach the tolerance.
template <class T>
std::unique_ptr<RadialTable<T>> tabulate(const RadialNetwork& network, double cutoff, double tolerance,
                                         TableReport& report);

}  // namespace isotrope
