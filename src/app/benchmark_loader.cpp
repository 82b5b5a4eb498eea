// SPDX-License-Identifier: MIT
#include "app/benchmark_loader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "core/error.hpp"
#include "io/reader.hpp"
#include "train/batches.hpp"
#include "train/training_data.hpp"

namespace isotrope::app {
namespace {

/// Of this process now, bytes.
std::int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// Of all threads so far, s.
double processor_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

SampleSet find_structures(const std::string& data) {
  require(format_of(data, "").name == std::string("isotrope"),
          "{}: --loader needs a data set; make one with isotrope convert", data);
  LossConfig no_label_is_needed;
  no_label_is_needed.energy = no_label_is_needed.forces = 0;
  DataConfig config;
  config.train = {{data, ""}};
  return find_training_data(config, no_label_is_needed).train;
}

}  // namespace

nlohmann::json time_loader(const LoaderBenchmark& benchmark, const SpeciesMap& species, double cutoff) {
  require(benchmark.workers > 0, "--workers: expected 1 or more, found {}", benchmark.workers);
  require(benchmark.memory_mib > 0, "--memory: expected 1 or more, found {}", benchmark.memory_mib);
  require(benchmark.seconds > 0, "--seconds: expected a number above 0, found {}", benchmark.seconds);
  using Clock = std::chrono::steady_clock;
  const SampleSet set = find_structures(benchmark.data);
  LoaderOptions options;
  options.memory = static_cast<std::size_t>(benchmark.memory_mib) << 20;
  options.workers = benchmark.workers;
  options.may_cache = false;
  BatchLoader loader(set, species, cutoff, {32, 0, 0}, options);
  const auto plan = loader.shuffled(1, 0);
  double structures = 0, atoms = 0, edges = 0;
  std::vector<std::int64_t> resident;
  auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  loader.start(plan);
  loader.next();
  const double first_batch = elapsed();  // the first window is read by then
  start = Clock::now();
  const double processor_before = processor_time();
  for (int k = 1; k < plan->batches() && elapsed() < benchmark.seconds; ++k) {
    const Batch batch = loader.next();
    structures += batch.graph.graphs;
    atoms += batch.graph.owned;
    edges += static_cast<double>(batch.graph.edges());
    if (elapsed() >= benchmark.seconds * static_cast<double>(resident.size()) / 20)
      resident.push_back(resident_memory());
  }
  const double seconds = elapsed();
  require(structures > 0, "{}: --loader needs more than one batch of 32 structures", benchmark.data);
  return {{"structures", structures},
          {"atoms_per_structure", atoms / structures},
          {"neighbours_per_atom", edges / atoms},
          {"workers", benchmark.workers},
          {"seconds", seconds},
          {"seconds_to_first_batch", first_batch},
          {"structures_per_second", structures / seconds},
          {"processor_microseconds_per_structure", 1e6 * (processor_time() - processor_before) / structures},
          {"resident_memory_bytes", resident}};
}

void print_loader_report(const nlohmann::json& j) {
  const auto number = [&](const char* key) { return j.at(key).get<double>(); };
  fmt::print("\nloader, {} worker{}: {:.0f} structures/s of {:.1f} atoms with {:.1f} neighbours ({:.0f} in {:.1f} s)\n",
             j.at("workers").get<int>(), j.at("workers") == 1 ? "" : "s", number("structures_per_second"),
             number("atoms_per_structure"), number("neighbours_per_atom"), number("structures"), number("seconds"));
  fmt::print("  {:.1f} microseconds of processor time a structure; the first batch came after {:.2f} s\n",
             number("processor_microseconds_per_structure"), number("seconds_to_first_batch"));
  if (j.contains("times_training_step"))
    fmt::print("  {:.1f} times as many as training steps take\n", number("times_training_step"));
  std::vector<std::int64_t> mebibytes;
  for (const auto& bytes : j.at("resident_memory_bytes")) mebibytes.push_back(bytes.get<std::int64_t>() >> 20);
  fmt::print("  resident memory over the time, MiB: {}\n", fmt::join(mebibytes, " "));
}

}  // namespace isotrope::app
