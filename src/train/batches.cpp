// SPDX-License-Identifier: MIT
#include "train/batches.hpp"

#include <limits>

#include "core/error.hpp"

namespace isotrope {
namespace {

void append(Graph& all, const Graph& part) {
  const int atoms = all.owned;
  const std::int64_t edges = all.edges();
  all.owned += part.owned;
  all.species.insert(all.species.end(), part.species.begin(), part.species.end());
  for (int i = 0; i < part.owned; ++i) all.first.push_back(edges + part.first[i + 1]);
  for (const int j : part.neighbour) all.neighbour.push_back(atoms + j);
  all.r.insert(all.r.end(), part.r.begin(), part.r.end());
  all.position.insert(all.position.end(), part.position.begin(), part.position.end());
  for (const int g : part.graph) all.graph.push_back(all.graphs + g);
  for (const int i : part.curve) all.curve.push_back(atoms + i);
  all.graphs += part.graphs;
  all.volume.insert(all.volume.end(), part.volume.begin(), part.volume.end());
  all.charge.insert(all.charge.end(), part.charge.begin(), part.charge.end());
  all.multiplicity.insert(all.multiplicity.end(), part.multiplicity.begin(), part.multiplicity.end());
}

/// Of all structures as single batches.
std::size_t bytes_of_graphs(const std::vector<SampleEntry>& entries) {
  constexpr std::size_t an_edge = sizeof(int) + sizeof(Vec3);
  constexpr std::size_t an_atom = 3 * sizeof(int) + sizeof(std::int64_t) + 2 * sizeof(Vec3);
  constexpr std::size_t a_structure = sizeof(Batch) + 16 * 32;  // small arrays take 32 bytes each
  std::size_t bytes = 0;
  for (const SampleEntry& entry : entries) bytes += entry.edges * an_edge + entry.atoms * an_atom + a_structure;
  return bytes;
}

std::string text_of(std::size_t bytes) {
  const auto size = static_cast<double>(bytes);
  return size < 0x1p23 ? fmt::format("{:.0f} KiB", size / 0x1p10) : fmt::format("{:.0f} MiB", size / 0x1p20);
}

bool fits(const SampleSet& set, const LoaderOptions& options) {
  return options.may_cache && bytes_of_graphs(set.entries) <= options.memory;
}

std::vector<Batch> make_singles(const std::vector<Sample>& samples, const SpeciesMap& species, double cutoff) {
  std::vector<Batch> batches;
  for (const Sample& sample : samples) batches.push_back(make_batch(sample, species, cutoff));
  return batches;
}

}  // namespace

Batch join(const std::vector<const Batch*>& batches) {
  Batch all;
  all.graph.graphs = 0;
  all.graph.first.push_back(0);
  all.labels.first_atom.push_back(0);
  for (const Batch* part : batches) {
    append(all.graph, part->graph);
    all.labels.append(part->labels);
  }
  all.graph.total = all.graph.owned;
  return all;
}

Batch make_batch(const Sample& sample, const SpeciesMap& species, double cutoff) {
  Batch batch;
  try {
    batch.graph = make_graph(sample.structure, species, cutoff);
  } catch (const Error& error) {
    fail("{}: {}", sample.where(), error.what());
  }
  batch.labels.append(sample.structure, sample.weight);
  return batch;
}

std::string describe_loading(const SampleSet& set, const LoaderOptions& options) {
  const std::string graphs = text_of(bytes_of_graphs(set.entries));
  if (fits(set, options)) return fmt::format("graphs are kept in memory ({})", graphs);
  const EpochPlanner planner(set.entries, {}, window_of(options));
  const std::string order = planner.one_window()
                                ? "shuffled as a whole"
                                : fmt::format("shuffled in windows of {}", text_of(window_of(options)));
  return fmt::format("streamed in {} blocks, {}; graphs would take {}, data.memory is {}", planner.blocks(), order,
                     graphs, text_of(options.memory));
}

void for_each_single(const SampleSet& set, const SpeciesMap& species, double cutoff, const LoaderOptions& options,
                     const std::function<void(Batch)>& visit) {
  const EpochPlanner planner(set.entries, {}, window_of(options));
  const auto plan = std::make_shared<const EpochPlan>(planner.blocks_of(options.rank, options.ranks));
  SampleStream stream(set, planner, {0, 1, options.workers}, [&](const std::vector<int>&, std::vector<Sample> samples) {
    return std::any(make_singles(samples, species, cutoff));
  });
  stream.append(plan);
  for (int k = 0; k < plan->batches(); ++k)
    for (Batch& batch : std::any_cast<std::vector<Batch>>(stream.next())) visit(std::move(batch));
}

BatchLoader::BatchLoader(const SampleSet& set, const SpeciesMap& species, double cutoff, BatchSize size,
                         LoaderOptions options)
    : set_(set),
      species_(species),
      cutoff_(cutoff),
      options_(options),
      cached_(fits(set, options)),
      // What is kept as a whole is shuffled as a whole.
      planner_(set.entries, size, cached_ ? std::numeric_limits<std::size_t>::max() : window_of(options)) {
  if (!cached_) return;
  LoaderOptions all = options;
  all.rank = 0, all.ranks = 1;  // a rank works on other structures in every epoch
  cache_.reserve(set.entries.size());
  for_each_single(set, species, cutoff, all, [this](Batch batch) { cache_.push_back(std::move(batch)); });
}

BatchLoader::Plan BatchLoader::shuffled(std::uint64_t seed, std::int64_t epoch) const {
  return std::make_shared<const EpochPlan>(planner_.shuffled(seed, epoch));
}

BatchLoader::Plan BatchLoader::in_order() const {
  return std::make_shared<const EpochPlan>(planner_.in_order());
}

void BatchLoader::start(Plan plan, int first_batch) {
  stop();
  if (!cached_) {
    const auto make = [this](const std::vector<int>&, std::vector<Sample> samples) {
      std::vector<const Batch*> parts;
      const std::vector<Batch> singles = make_singles(samples, species_, cutoff_);
      for (const Batch& single : singles) parts.push_back(&single);
      return std::any(join(parts));
    };
    const SampleStream::Crew crew{options_.rank, options_.ranks, options_.workers};
    stream_ = std::make_unique<SampleStream>(set_, planner_, crew, make);
    stream_->append(std::move(plan), first_batch);
  } else {
    plans_.push_back(std::move(plan));
    batch_ = first_batch;
  }
}

void BatchLoader::follow_with(Plan plan) {
  if (stream_)
    stream_->append(std::move(plan));
  else
    plans_.push_back(std::move(plan));
}

void BatchLoader::stop() {
  stream_.reset();
  plans_.clear();
}

Batch BatchLoader::next() {
  if (stream_) return std::any_cast<Batch>(stream_->next());
  require(!plans_.empty(), "the loader was asked for more batches than its plans have");
  Batch batch = next_of_cache();
  if (++batch_ == plans_.front()->batches()) plans_.pop_front(), batch_ = 0;
  return batch;
}

Batch BatchLoader::next_of_cache() {
  std::vector<const Batch*> parts;
  for (const int i : share_of(plans_.front()->batch(batch_), set_.entries, options_.rank, options_.ranks))
    parts.push_back(&cache_[i]);
  return join(parts);
}

}  // namespace isotrope
