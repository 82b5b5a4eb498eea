// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/convolution.hpp"
#include "layers/radial_basis.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/radial_table.hpp"
#include "layers/table_report.hpp"

namespace isotrope {

/// Tables of the radial networks of a model, layer by layer: the knots are doubled until values and slopes between them
/// are within `tolerance` of the network, relative to the largest of each. Where the envelope has a kink of the
/// curvature (XPLOR) a knot lies on it.
template <class T>
class RadialTables {
 public:
  /// The frequencies of the basis are on the host.
  RadialTables(const BesselBasis& basis, double tolerance) : basis_(basis), tolerance_(tolerance) {}

  /// The network of the next layer, prepared in double and padded for it (`padded`); `target` is the convolution whose
  /// weights the table stands for. Throws where the largest table that it allows (8193 knots) is not enough.
  void add(const RadialMlp& network, const View<double>& weights, const Convolution& padded, const Convolution& target);

  std::vector<std::unique_ptr<RadialTable<T>>> layers;
  TableReport report;

 private:
  BesselBasis basis_;
  double tolerance_;
};

}  // namespace isotrope
