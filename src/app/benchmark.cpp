// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/resource.h>

#include "app/benchmark_loader.hpp"
#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "app/model_options.hpp"
#include "core/error.hpp"
#include "core/kokkos_ext.hpp"
#include "evaluate/prediction.hpp"
#include "evaluate/structure_source.hpp"
#include "evaluate/timing.hpp"
#include "train/loss_pass.hpp"
#include "train/optimiser.hpp"

namespace isotrope::app {
namespace {

struct BenchmarkOptions {
  ModelOptions model;
  JsonOutput json;
  int repeats = 20;
  int atoms = 200;
  bool train = false, loader = false;
  LoaderBenchmark loading;
};

/// Of this process so far, bytes (Linux counts in KiB).
std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

std::vector<Structure> structures_to_time(const BenchmarkOptions& options, const PotentialInfo& info) {
  const std::string& data = options.model.data();
  std::vector<Structure> structures = first_structures(data, options.atoms);
  require(!structures.empty(), "{}: expected structures, found none", data);
  for (std::size_t k = 0; k < structures.size(); ++k) {
    check_elements(structures[k], SpeciesMap(info.elements), data, static_cast<std::int64_t>(k));
    check_fits_model(structures[k], info, data, static_cast<std::int64_t>(k));
  }
  return structures;
}

/// Energy, its derivatives, and forces.
Timing time_evaluation(const Potential& potential, const Graph& graph, int repeats) {
  const auto workspace = potential.make_workspace();
  NoHalo halo;
  Result result;
  Prediction prediction;
  return time_repeats(repeats, [&] {
    potential.evaluate(graph, halo, *workspace, result);
    assemble_prediction(potential.info(), graph, result, prediction);
  });
}

/// Everything that the trainer does in a step once it has the batch: loss, gradient, Adam, new parameters.
Timing time_training_step(Potential& potential, Batch batch, std::vector<double> parameters, int repeats) {
  OptimiserConfig config;
  config.learning_rate = 1e-6;
  const LossCounts counts = loss_counts(batch.labels);
  LossPass pass(potential, LossConfig{});
  Adam adam(config, parameters.size());
  std::vector<double> gradient(parameters.size());
  return time_repeats(repeats, [&] {
    std::fill(gradient.begin(), gradient.end(), 0.0);
    pass.add_gradient(batch, counts, gradient);
    adam.step(parameters, gradient, config.learning_rate);
    potential.set_parameters(parameters);
  });
}

Labels labels_to_train_on(const std::vector<Structure>& structures, const std::string& data) {
  Labels labels;
  for (std::size_t k = 0; k < structures.size(); ++k) {
    const Structure& s = structures[k];
    require(s.energy && !s.forces.empty(), "{}: structure {}: --train needs energy and forces, found no {}", data, k,
            s.energy ? "forces" : "energy");
    labels.append(s, 1);
  }
  return labels;
}

/// How many structures come from the data while one is trained on.
void add_loader(nlohmann::json& json, LoaderBenchmark benchmark, const std::string& data, const Potential& potential) {
  benchmark.data = data;
  nlohmann::json loader = time_loader(benchmark, SpeciesMap(potential.info().elements), potential.info().cutoff);
  if (json.contains("train_step_microseconds_per_atom")) {
    const double step =
        json["train_step_microseconds_per_atom"].get<double>() * loader["atoms_per_structure"].get<double>();
    loader["times_training_step"] = loader["structures_per_second"].get<double>() * step * 1e-6;
  }
  json["loader"] = loader;
}

nlohmann::json measure(const BenchmarkOptions& options) {
  const ModelRecord record = options.model.read();
  const auto potential = options.model.load(record);
  const SpeciesMap species(record.elements);
  const std::vector<Structure> structures = structures_to_time(options, potential->info());
  std::vector<const Structure*> pointers;
  for (const Structure& s : structures) pointers.push_back(&s);

  Graph graph;
  const Timing list =
      time_repeats(options.repeats, [&] { graph = make_graph(pointers, species, potential->info().cutoff); });
  const bool single = options.model.precision() == Precision::single_precision;  // the pair style's default
  const bool tables =
      options.model.tabulated(single) && potential->tabulate_radial(default_table_tolerance).has_value();
  const Timing evaluation = time_evaluation(*potential, graph, options.repeats);
  const double atoms = graph.owned, microseconds = 1e6 / atoms;
  nlohmann::json json = {{"model", options.model.model()},
                         {"data", options.model.data()},
                         {"precision", options.model.precision_name()},
                         {"forces", name_of(potential->info().forces)},
                         {"radial", tables ? "tabulated" : "exact"},
                         {"structures", structures.size()},
                         {"atoms", graph.owned},
                         {"neighbours_per_atom", static_cast<double>(graph.edges()) / atoms},
                         {"threads", Space().concurrency()},
                         {"repeats", options.repeats},
                         {"microseconds_per_atom", evaluation.best * microseconds},
                         {"median_microseconds_per_atom", evaluation.median * microseconds},
                         {"neighbour_list_microseconds_per_atom", list.best * microseconds},
                         {"peak_memory_bytes", peak_memory()}};
  if (options.train) {
    const Timing step = time_training_step(*potential, {graph, labels_to_train_on(structures, options.model.data())},
                                           record.parameters.values(), options.repeats);
    json["train_step_microseconds_per_atom"] = step.best * microseconds;
    json["median_train_step_microseconds_per_atom"] = step.median * microseconds;
    json["train_peak_memory_bytes"] = peak_memory();
  }
  if (options.loader) add_loader(json, options.loading, options.model.data(), *potential);
  return json;
}

void print_report(const nlohmann::json& j) {
  const auto number = [&](const char* key) { return j.at(key).get<double>(); };
  fmt::print("{} in {} precision, radial functions {}, {} thread{}\n", j.at("model").get<std::string>(),
             j.at("precision").get<std::string>(), j.at("radial").get<std::string>(), j.at("threads").get<int>(),
             j.at("threads") == 1 ? "" : "s");
  fmt::print("{} structures of {}: {} atoms, {:.1f} neighbours each\n\n", j.at("structures").get<int>(),
             j.at("data").get<std::string>(), j.at("atoms").get<int>(), number("neighbours_per_atom"));
  fmt::print("{:<20}{:>10}{:>10}\n", "microseconds/atom", "best", "median");
  fmt::print("{:<20}{:>10.2f}{:>10.2f}\n", "energy and forces", number("microseconds_per_atom"),
             number("median_microseconds_per_atom"));
  fmt::print("{:<20}{:>10.2f}\n", "neighbour list", number("neighbour_list_microseconds_per_atom"));
  if (j.contains("train_step_microseconds_per_atom"))
    fmt::print("{:<20}{:>10.2f}{:>10.2f}\n", "training step", number("train_step_microseconds_per_atom"),
               number("median_train_step_microseconds_per_atom"));
  const char* peak = j.contains("train_peak_memory_bytes") ? "train_peak_memory_bytes" : "peak_memory_bytes";
  fmt::print("\npeak memory {:.0f} MiB\n", number(peak) / (1 << 20));
  if (j.contains("loader")) print_loader_report(j["loader"]);
}

int run(const BenchmarkOptions& options) {
  require(options.repeats > 0, "--repeats: expected 1 or more, found {}", options.repeats);
  require(options.atoms > 0, "--atoms: expected 1 or more, found {}", options.atoms);
  KokkosScope kokkos;
  const nlohmann::json json = measure(options);
  if (options.json.wanted()) options.json.write(json);
  if (!options.json.to_standard_output()) print_report(json);
  return 0;
}

}  // namespace

Action setup_benchmark(CLI::App& app) {
  auto o = std::make_shared<BenchmarkOptions>();
  o->model.add_to(app);
  o->json.add_to(app);
  app.add_option("--repeats", o->repeats, "Timed repeats, after a warm-up")->capture_default_str();
  app.add_option("--atoms", o->atoms, "Structures from the start of DATA until there are so many atoms")
      ->capture_default_str();
  o->model.add_radial_to(app, "tabulated in single precision, as the pair style has it");
  app.add_flag("--train", o->train, "Time a training step too: loss, gradient, Adam");
  CLI::Option* loader =
      app.add_flag("--loader", o->loader, "Time how fast the structures of a data set come as graphs");
  app.add_option("--workers", o->loading.workers, "Threads that make graphs")->capture_default_str()->needs(loader);
  app.add_option("--memory", o->loading.memory_mib, "What the loader may use, MiB (data.memory of a training file)")
      ->capture_default_str()
      ->needs(loader);
  app.add_option("--seconds", o->loading.seconds, "How long to load; an epoch at most")
      ->capture_default_str()
      ->needs(loader);
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
