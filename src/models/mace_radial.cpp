// SPDX-License-Identifier: MIT
#include "models/mace_radial.hpp"

#include "core/error.hpp"

namespace isotrope {
namespace {

const std::vector<double>& table(const ModelRecord& record, const char* name, std::size_t size) {
  const auto found = record.tables.find(name);
  require(found != record.tables.end() && found->second.values.size() == size,
          "model: expected the table {} of {} numbers", name, size);
  return found->second.values;
}

}  // namespace

MaceRadial::MaceRadial(const ModelRecord& record, const MaceShape& shape)
    : host_frequencies_(table(record, "bessel.frequencies", shape.num_bessel)),
      frequencies_(to_device("isotrope::mace::frequencies", host_frequencies_)) {
  if (shape.agnesi) {
    const std::vector<double>& constants = table(record, "agnesi.constants", 3);
    radii_ = to_device("isotrope::mace::radii", table(record, "agnesi.radii", shape.species));
    agnesi_ = {constants[0], constants[1], constants[2], radii_.data()};
  }
  if (shape.zbl) {
    zbl_ = Zbl(record.elements, table(record, "zbl.constants", Zbl::constant_count),
               table(record, "zbl.radii", shape.species), shape.zbl_power);
  }
}

BesselBasis MaceRadial::basis(const MaceShape& shape) const {
  BesselBasis basis = mace_basis(shape, frequencies_.data());
  basis.transform = agnesi_;
  return basis;
}

}  // namespace isotrope
