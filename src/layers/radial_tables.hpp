// SPDX-License-Identifier: MIT
#pragma once
#include <memory>
#include <vector>

#include "layers/convolution.hpp"
#include "layers/radial_basis.hpp"
#include "layers/radial_mlp.hpp"
#include "layers/radial_tabulation.hpp"

namespace isotrope {

/// Tables (radial_tabulation.hpp) of the radial networks of a convolution model, layer by layer.
template <class T>
class RadialTables {
 public:
  /// The frequencies of the basis are on the host.
  RadialTables(const BesselBasis& basis, double tolerance) : basis_(basis), tolerance_(tolerance) {}

  /// The network of the next layer with its weights, prepared in double; `convolution` is padded for double too.
  void add(const RadialMlp& network, const View<double>& weights, const Convolution& convolution);

  std::vector<std::unique_ptr<RadialTable<T>>> layers;
  TableReport report;

 private:
  BesselBasis basis_;
  double tolerance_;
};

}  // namespace isotrope
