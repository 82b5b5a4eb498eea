// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "geometry/graph.hpp"

namespace isotrope::app {

/// How fast structures come from a data set as graphs, and how much memory that takes.
struct LoaderBenchmark {
  std::string data;
  int workers = 1;
  int memory_mib = 1024;
  double seconds = 10;  ///< at most; an epoch at most
};

/// Streams a shuffled epoch in batches of 32, nothing else. Rates per second of wall time; memory of the process is
/// sampled 20 times.
nlohmann::json time_loader(const LoaderBenchmark& benchmark, const SpeciesMap& species, double cutoff);
void print_loader_report(const nlohmann::json& json);

}  // namespace isotrope::app
