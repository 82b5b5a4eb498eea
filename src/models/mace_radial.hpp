// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "layers/zbl.hpp"
#include "models/mace_shape.hpp"

namespace isotrope {

/// Constants of a model's radial functions, from the tables of its file, on the host and where kernels read them.
class MaceRadial {
 public:
  /// Throws where a table is missing or has the wrong number of values.
  MaceRadial(const ModelRecord& record, const MaceShape& shape);

  /// For kernels, and for the host.
  BesselBasis basis(const MaceShape& shape) const;
  BesselBasis host_basis(const MaceShape& shape) const { return mace_basis(shape, host_frequencies_.data()); }
  const Zbl& zbl() const { return zbl_; }

 private:
  std::vector<double> host_frequencies_;
  View<double> frequencies_, radii_;
  AgnesiTransform agnesi_;
  Zbl zbl_;
};

}  // namespace isotrope
