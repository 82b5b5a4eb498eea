// SPDX-License-Identifier: MIT
#pragma once
#include <vector>

#include "evaluate/physics_checks.hpp"
#include "models/tdn.hpp"
#include "support/random_structure.hpp"
#include "support/tdn_fixture.hpp"

/// Small TDN models of random weights, and structures for them.
namespace isotrope::test {

inline nlohmann::json small_config(const char* forces = "both", int l_max = 1) {
  return {{"architecture", "tdn"}, {"cutoff", 4.5},  {"channels", 12},        {"layers", 2},     {"heads", 2},
          {"num_gaussians", 9},    {"l_max", l_max}, {"radial_mlp", {7, 10}}, {"forces", forces}};
}
inline DataStatistics statistics() {
  return {{1, 6, 7, 8, 16, 17}, {-13.5, -1030, -1480, -2040.25, -10800, -12500}, 9.5, 1.25};
}
inline ModelRecord fresh(const nlohmann::json& config) {
  return create_model(config, statistics(), 3);
}
/// Two molecules and a crystal.
inline std::vector<NamedStructure> molecules() {
  std::vector<NamedStructure> out;
  const auto fixture = isotrope::testing::read_tdn_fixture("a");
  for (const auto& c : fixture.cases) {
    if (c.name == "thiazole" || c.name == "ethanol") out.push_back({c.name, c.molecules[0]});
  }
  testing_support::Generator generator(11);
  const Mat3 cell{Vec3{5.1, 0.3, 0}, Vec3{-0.4, 5.6, 0.2}, Vec3{0.1, 0.5, 5.3}};
  out.push_back({"cell", testing_support::random_structure(generator, 7, cell, {true, true, true})});
  return out;
}

}  // namespace isotrope::test
