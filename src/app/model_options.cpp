// SPDX-License-Identifier: MIT
#include "app/model_options.hpp"

#include "core/error.hpp"
#include "io/model_file.hpp"

namespace isotrope::app {

void ModelOptions::add_to(CLI::App& options) {
  options.add_option("MODEL", model_, "Model file (.h5)")->required();
  options.add_option("DATA", data_, "Data set (.h5), or a file that `convert` reads (.xyz)")->required();
  options.add_option("--forces", forces_, "Of a model that has both kinds: gradient or direct (default: its answer)");
  options.add_option("--precision", precision_, "Of the network: single or double")->capture_default_str();
}

void ModelOptions::add_radial_to(CLI::App& options, const std::string& standard) {
  options.add_option("--radial", radial_, "Radial functions: exact or tabulated (default: " + standard + ")");
}

bool ModelOptions::tabulated(bool standard) const {
  require(radial_.empty() || radial_ == "exact" || radial_ == "tabulated",
          "--radial: expected 'exact' or 'tabulated', found '{}'", radial_);
  return radial_.empty() ? standard : radial_ == "tabulated";
}

ModelRecord ModelOptions::read() const {
  precision();
  require(is_model_file(model_), "{}: expected a model as the first argument, found another HDF5 file", model_);
  return read_model(model_);
}

std::unique_ptr<Potential> ModelOptions::load(const ModelRecord& record) const {
  require(forces_.empty() || forces_ == "gradient" || forces_ == "direct",
          "--forces: expected 'gradient' or 'direct', found '{}'", forces_);
  try {
    auto potential = make_potential(record, precision());
    if (!forces_.empty()) potential->use_forces(forces_ == "direct" ? Forces::direct : Forces::gradient);
    return potential;
  } catch (const Error& error) {
    fail("{}: {}", model_, error.what());
  }
}

Precision ModelOptions::precision() const {
  if (precision_ == "single") return Precision::single_precision;
  require(precision_ == "double", "--precision: expected 'single' or 'double', found '{}'", precision_);
  return Precision::double_precision;
}

}  // namespace isotrope::app
