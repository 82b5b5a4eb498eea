// SPDX-License-Identifier: MIT
// Structures on their way from files to batches: order, windows, shares of ranks, threads, errors.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>

#include "core/random.hpp"
#include "io/dataset.hpp"
#include "support/memory_source.hpp"
#include "support/temporary_folder.hpp"
#include "train/batches.hpp"

namespace isotrope {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

constexpr double cutoff = 3.0;
const SpeciesMap species({1, 8});

/// Between 2 and 5 atoms in a line, every other set of them in a cell; the energy is the place in the list.
std::vector<Structure> lines(int count, std::uint64_t seed = 1) {
  SplitMix random(seed);
  std::vector<Structure> all;
  for (int i = 0; i < count; ++i) {
    Structure s;
    const int atoms = 2 + static_cast<int>(random.below(4));
    for (int a = 0; a < atoms; ++a) {
      s.numbers.push_back(random.below(2) == 0 ? 1 : 8);
      s.positions.push_back({1.1 * a + 0.2 * random.uniform(), random.uniform(), random.uniform()});
      s.forces.push_back({random.normal(), random.normal(), random.normal()});
    }
    if (i % 2 == 1) {
      s.cell = {Vec3{7, 0, 0.5}, Vec3{0, 4, 0}, Vec3{0.5, 0, 5}};
      s.periodic = {true, true, true};
    }
    s.energy = i;
    s.weight = 1 + i % 3;
    all.push_back(std::move(s));
  }
  return all;
}

/// Data sets on disk, as a training set with counted edges.
SampleSet write_set(const TemporaryFolder& folder, const std::vector<std::vector<Structure>>& shards) {
  DataConfig config;
  for (std::size_t k = 0; k < shards.size(); ++k) {
    config.train.push_back({folder / ("shard" + std::to_string(k) + ".h5"), ""});
    DatasetWriter writer(config.train.back().file);
    for (const Structure& s : shards[k]) writer.add(s);
    writer.commit({});
  }
  SampleSet set = find_training_data(config, {}).train;
  scan(set, cutoff, {}, test::alone());
  return set;
}

void expect_equal(const Graph& a, const Graph& b) {
  EXPECT_EQ(a.owned, b.owned);
  EXPECT_EQ(a.total, b.total);
  EXPECT_EQ(a.graphs, b.graphs);
  EXPECT_EQ(a.species, b.species);
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.neighbour, b.neighbour);
  EXPECT_EQ(a.r, b.r);
  EXPECT_EQ(a.graph, b.graph);
  EXPECT_EQ(a.volume, b.volume);
  EXPECT_EQ(a.charge, b.charge);
  EXPECT_EQ(a.multiplicity, b.multiplicity);
}

LoaderOptions streaming(std::size_t memory, int workers = 1, int rank = 0, int ranks = 1) {
  return {memory, workers, rank, ranks, false};
}

// --- the order of an epoch -------------------------------------------------------------------------------------------

std::vector<SampleEntry> entries(int count) {
  SplitMix random(3);
  std::vector<SampleEntry> all;
  for (int i = 0; i < count; ++i) {
    const int atoms = 1 + static_cast<int>(random.below(9));
    all.push_back({static_cast<std::uint32_t>(i), 0, energy_bit, atoms, 7 * atoms});
  }
  return all;
}

TEST(EpochPlan, HasEveryStructureOnceAndBatchesWithinTheBound) {
  const auto set = entries(500);
  for (const std::size_t window : {std::size_t{1} << 30, std::size_t{20'000}, std::size_t{300}}) {
    for (const BatchSize bound : {BatchSize{4, 0, 0}, BatchSize{0, 12, 0}, BatchSize{0, 0, 90}}) {
      const EpochPlanner planner(set, bound, window);
      EXPECT_EQ(planner.one_window(), window > 1'000'000);
      for (const EpochPlan& plan : {planner.shuffled(7, 0), planner.shuffled(7, 1), planner.in_order()}) {
        std::vector<int> seen = plan.order, all(set.size());
        std::sort(seen.begin(), seen.end());
        std::iota(all.begin(), all.end(), 0);
        EXPECT_EQ(seen, all);
        EXPECT_EQ(plan.first.back(), 500);
        for (int k = 0; k < plan.batches(); ++k) {
          int atoms = 0;
          for (const int i : plan.batch(k)) atoms += set[i].atoms;
          EXPECT_GE(plan.batch(k).size(), 1u);
          EXPECT_TRUE(bound.structures == 0 || plan.batch(k).size() <= 4);
          EXPECT_TRUE(bound.atoms == 0 || plan.batch(k).size() == 1 || atoms <= 12);
          EXPECT_TRUE(bound.edges == 0 || plan.batch(k).size() == 1 || 7 * atoms <= 90);
        }
        // What a window says it holds is what its part of the order takes.
        for (int w = 0; w < plan.windows(); ++w) {
          std::set<int> blocks;
          for (auto place = plan.window_first[w]; place < plan.window_first[w + 1]; ++place)
            blocks.insert(planner.block_of(plan.order[place]));
          EXPECT_EQ(std::vector<int>(blocks.begin(), blocks.end()),
                    std::vector<int>(plan.blocks.begin() + plan.window_blocks[w],
                                     plan.blocks.begin() + plan.window_blocks[w + 1]));
        }
      }
    }
  }
}

TEST(EpochPlan, IsAFunctionOfSeedAndEpoch) {
  const auto set = entries(300);
  for (const std::size_t window : {std::size_t{1} << 30, std::size_t{20'000}}) {
    const EpochPlanner planner(set, {4, 0, 0}, window), twin(set, {4, 0, 0}, window);
    EXPECT_EQ(planner.shuffled(7, 2).order, twin.shuffled(7, 2).order);
    EXPECT_NE(planner.shuffled(7, 2).order, planner.shuffled(7, 3).order);
    EXPECT_NE(planner.shuffled(7, 2).order, planner.shuffled(8, 2).order);
  }
  // Stored orders (from a separate implementation of SplitMix64 and Fisher-Yates in Python): runs must be the same on
  // every platform.
  EXPECT_EQ(shuffled(8, 7, 2), (std::vector<int>{6, 0, 5, 4, 2, 7, 1, 3}));
  EXPECT_EQ(EpochPlanner(entries(8), {4, 0, 0}, 1 << 30).shuffled(7, 1).order,
            (std::vector<int>{6, 0, 5, 4, 2, 7, 1, 3}));
}

/// In a full shuffle a structure moves by a third of the set on average, and one out of n is followed by its neighbour
/// in the file. A window of a tenth of the set, made of many blocks, comes close.
TEST(EpochPlan, WindowsAreNearlyAFullShuffle) {
  const int n = 20'000;
  const auto set = entries(n);
  for (const std::size_t window : {std::size_t{1} << 30, std::size_t{1'000'000}}) {
    const EpochPlanner planner(set, {32, 0, 0}, window);
    const EpochPlan plan = planner.shuffled(1, 0);
    EXPECT_EQ(plan.windows() > 5, window < 10'000'000);
    double displacement = 0, adjacent = 0, same_block = 0;
    for (int place = 0; place < n; ++place) displacement += std::abs(plan.order[place] - place);
    for (int place = 1; place < n; ++place) adjacent += std::abs(plan.order[place] - plan.order[place - 1]) == 1;
    for (int k = 0; k < plan.batches(); ++k) {
      std::set<int> blocks;
      for (const int i : plan.batch(k)) blocks.insert(planner.block_of(i));
      same_block += static_cast<double>(plan.batch(k).size() - blocks.size());
    }
    EXPECT_NEAR(displacement / n / n, 1.0 / 3, 0.02);
    EXPECT_LE(adjacent / n, 0.02);
    // 32 draws from 64 blocks or more: at most 32 - 64 (1 - (63/64)^32) = 6.7 of them hit a block for a second time.
    EXPECT_TRUE(plan.windows() == 1 || same_block / plan.batches() <= 7.5) << same_block / plan.batches();
  }
}

TEST(EpochPlan, TheRanksTogetherHaveTheBatch) {
  const auto set = entries(60);
  const EpochPlan plan = EpochPlanner(set, {0, 30, 0}, 5000).shuffled(7, 0);
  for (int k = 0; k < plan.batches(); ++k) {
    for (const int ranks : {1, 2, 3, 20}) {
      std::multiset<int> together;
      std::vector<int> loads;
      for (int rank = 0; rank < ranks; ++rank) {
        loads.push_back(0);
        for (const int i : share_of(plan.batch(k), set, rank, ranks)) loads.back() += set[i].atoms, together.insert(i);
      }
      EXPECT_EQ(together, std::multiset<int>(plan.batch(k).begin(), plan.batch(k).end()));
      EXPECT_LE(*std::max_element(loads.begin(), loads.end()) - *std::min_element(loads.begin(), loads.end()), 9);
    }
  }
}

// --- batches ---------------------------------------------------------------------------------------------------------

TEST(Loader, DeliversEveryStructureOnceWithItsGraph) {
  const TemporaryFolder folder;
  auto first = lines(310, 1), second = lines(150, 2);
  for (Structure& s : second) s.energy = *s.energy + 310;
  const SampleSet set = write_set(folder, {first, second});
  first.insert(first.end(), second.begin(), second.end());
  for (const LoaderOptions& options :
       {LoaderOptions{}, streaming(1 << 30), streaming(100'000), streaming(100'000, 3), streaming(2000, 2)}) {
    BatchLoader loader(set, species, cutoff, {7, 0, 0}, options);
    EXPECT_EQ(loader.cached(), options.may_cache);
    loader.start(loader.shuffled(5, 0));
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::set<int> seen;
      const auto plan = loader.shuffled(5, epoch);
      loader.follow_with(loader.shuffled(5, epoch + 1));
      for (int k = 0; k < plan->batches(); ++k) {
        const Batch batch = loader.next();
        std::vector<const Structure*> expected;
        ASSERT_EQ(batch.labels.graphs(), static_cast<int>(plan->batch(k).size()));
        for (int g = 0; g < batch.labels.graphs(); ++g) {
          const auto i = static_cast<int>(batch.labels.energy[g]);
          EXPECT_EQ(i, plan->batch(k)[g]);
          EXPECT_TRUE(seen.insert(i).second);
          EXPECT_EQ(batch.labels.weight[g], first[i].weight);
          expected.push_back(&first[i]);
        }
        expect_equal(batch.graph, make_graph(expected, species, cutoff));
        for (int g = 0; g < batch.labels.graphs(); ++g)
          EXPECT_EQ(batch.labels.forces[batch.labels.first_atom[g]], expected[g]->forces[0]);
      }
      EXPECT_EQ(seen.size(), 460u);
    }
  }
}

TEST(Loader, RanksTogetherHaveEveryBatchAndReadOnlyTheirOwn) {
  auto source = std::make_shared<test::MemorySource>("train.h5", lines(200));
  std::set<std::uint32_t> read;
  source->on_read = [&](std::span<const std::uint32_t> places) { read.insert(places.begin(), places.end()); };
  SampleSet set = test::set_of(lines(200), cutoff);
  set.sources = {source};
  for (const int ranks : {1, 2, 3}) {
    std::vector<std::set<int>> batches;
    for (int rank = 0; rank < ranks; ++rank) {
      read.clear();
      std::set<std::uint32_t> used;
      BatchLoader loader(set, species, cutoff, {8, 0, 0}, streaming(50'000, 2, rank, ranks));
      const auto plan = loader.shuffled(1, 0);
      batches.resize(plan->batches());
      loader.start(plan);
      for (int k = 0; k < plan->batches(); ++k) {
        for (const double energy : loader.next().labels.energy) {
          EXPECT_TRUE(batches[k].insert(static_cast<int>(energy)).second);
          used.insert(static_cast<std::uint32_t>(energy));
        }
      }
      loader.stop();
      EXPECT_EQ(read, used);
    }
    for (const auto& batch : batches) EXPECT_EQ(batch.size(), 8u);
  }
}

TEST(Loader, ARankWithoutStructuresGetsEmptyBatches) {
  const SampleSet set = test::set_of(lines(5), cutoff);
  BatchLoader loader(set, species, cutoff, {2, 0, 0}, streaming(1000, 1, 7, 8));
  const auto plan = loader.shuffled(1, 0);
  loader.start(plan);
  for (int k = 0; k < plan->batches(); ++k) EXPECT_EQ(loader.next().graph.owned, 0);
}

TEST(Loader, StartsInTheMiddleOfAnEpoch) {
  const SampleSet set = test::set_of(lines(120), cutoff);
  for (const bool may_cache : {false, true}) {
    LoaderOptions options = streaming(40'000);
    options.may_cache = may_cache;
    BatchLoader whole(set, species, cutoff, {7, 0, 0}, options), part(set, species, cutoff, {7, 0, 0}, options);
    const auto plan = whole.shuffled(2, 4);
    whole.start(plan);
    for (int k = 0; k < 9; ++k) whole.next();
    part.start(plan, 9);
    part.follow_with(part.shuffled(2, 5));
    whole.follow_with(whole.shuffled(2, 5));
    for (int k = 9; k < 2 * plan->batches(); ++k) {
      const Batch a = whole.next(), b = part.next();
      expect_equal(a.graph, b.graph);
      EXPECT_EQ(a.labels.energy, b.labels.energy);
    }
  }
}

/// A source whose blocks count how many structures of them are alive.
class CountingSource final : public StructureSource {
 public:
  explicit CountingSource(std::vector<Structure> structures) : inner_("train.h5", std::move(structures)) {}
  const DatasetNames& names() const override { return inner_.names(); }
  const std::string& hash() const override { return inner_.hash(); }
  void check_content() const override {}
  std::vector<StructureTraits> traits() const override { return inner_.traits(); }
  std::shared_ptr<const StructureBlock> read(std::span<const std::uint32_t> places) const override {
    return std::make_shared<Block>(inner_.read(places), static_cast<int>(places.size()));
  }
  static inline std::atomic<int> alive = 0, most = 0;

 private:
  struct Block final : StructureBlock {
    Block(std::shared_ptr<const StructureBlock> block, int size) : block(std::move(block)), size(size) {
      alive += size;
      most = std::max<int>(most, alive);
    }
    ~Block() override { alive -= size; }
    Structure structure(int row) const override { return block->structure(row); }
    std::shared_ptr<const StructureBlock> block;
    int size;
  };
  test::MemorySource inner_;
};

TEST(Loader, HoldsTwoWindowsAtMost) {
  SampleSet set = test::set_of(lines(4000), cutoff);
  set.sources = {std::make_shared<CountingSource>(lines(4000))};
  const LoaderOptions options = streaming(400'000, 2);
  BatchLoader loader(set, species, cutoff, {16, 0, 0}, options);
  int largest_window = 0;
  CountingSource::most = 0;
  loader.start(loader.shuffled(1, 0));
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto plan = loader.shuffled(1, epoch);
    loader.follow_with(loader.shuffled(1, epoch + 1));
    for (int w = 0; w < plan->windows(); ++w)
      largest_window = std::max(largest_window, static_cast<int>(plan->window_first[w + 1] - plan->window_first[w]));
    for (int k = 0; k < plan->batches(); ++k) loader.next();
  }
  EXPECT_LT(largest_window, 400);
  EXPECT_GT(CountingSource::most, largest_window);                   // the next window is read while one is worked on
  EXPECT_LE(CountingSource::most, 2 * largest_window + 3 * 16 * 5);  // and blocks that jobs have in hand
  loader.stop();
  EXPECT_EQ(CountingSource::alive, 0);
}

TEST(Loader, EndsAtOnceWhereverItIs) {
  const SampleSet set = test::set_of(lines(300), cutoff);
  for (int taken = 0; taken < 40; ++taken) {
    BatchLoader loader(set, species, cutoff, {7, 0, 0}, streaming(30'000, 1 + taken % 3));
    loader.start(loader.shuffled(1, 0));
    loader.follow_with(loader.shuffled(1, 1));
    for (int k = 0; k < taken; ++k) loader.next();
    if (taken % 2 == 0) loader.start(loader.in_order());
  }
}

TEST(Loader, MoreThanWasPlannedIsRefused) {
  const SampleSet set = test::set_of(lines(4), cutoff);
  BatchLoader loader(set, species, cutoff, {4, 0, 0}, streaming(30'000));
  loader.start(loader.in_order());
  loader.next();
  EXPECT_EQ(error_of([&] { loader.next(); }), "a stream of structures was asked for more batches than its plans have");
}

// --- what can go wrong -----------------------------------------------------------------------------------------------

std::string first_error(BatchLoader& loader, int& delivered) {
  const auto plan = loader.in_order();
  loader.start(plan);
  return error_of([&] {
    for (delivered = 0; delivered < plan->batches(); ++delivered) loader.next();
  });
}

TEST(LoaderErrors, OfAWorkerReachTheCallerAtTheirBatch) {
  auto structures = lines(60);
  SampleSet set = test::set_of(structures, cutoff);
  structures[33].positions[1] = structures[33].positions[0];
  set.sources = {std::make_shared<test::MemorySource>("train.h5", structures)};
  for (const int workers : {1, 3}) {
    BatchLoader loader(set, species, cutoff, {5, 0, 0}, streaming(20'000, workers));
    int delivered = 0;
    EXPECT_EQ(
        first_error(loader, delivered),
        "train.h5: structure 33: Atoms 1 and 2 are at the same place (0.0e+00 Å apart, periodic images included): "
        "remove one of them.");
    EXPECT_EQ(delivered, 6);
  }
}

TEST(LoaderErrors, OfReadingReachTheCallerOnceWhatWasReadIsUsed) {
  auto source = std::make_shared<test::MemorySource>("train.h5", lines(60));
  source->on_read = [](std::span<const std::uint32_t> places) {
    require(places.back() < 40, "train.h5:/positions: rows cannot be read");
  };
  SampleSet set = test::set_of(lines(60), cutoff);
  set.sources = {source};
  for (const int workers : {1, 3}) {
    BatchLoader loader(set, species, cutoff, {5, 0, 0}, streaming(20'000, workers));
    int delivered = 0;
    EXPECT_EQ(first_error(loader, delivered), "train.h5:/positions: rows cannot be read");
    EXPECT_EQ(delivered, 8);
  }
}

/// Overwrites the energy of a structure, wherever it is in the file.
void damage(const std::string& path, double from, double to) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto place = bytes.find(std::string(reinterpret_cast<const char*>(&from), sizeof from));
  ASSERT_NE(place, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(place));
  file.write(reinterpret_cast<const char*>(&to), sizeof to);
}

TEST(LoaderErrors, DamageInTheMiddleOfAFileNamesFileAndStructure) {
  const TemporaryFolder folder;
  auto structures = lines(60);
  structures[47].energy = 12345.678;
  const SampleSet set = write_set(folder, {structures});
  const std::string path = folder / "shard0.h5";
  damage(path, 12345.678, std::nan(""));
  BatchLoader loader(set, species, cutoff, {5, 0, 0}, streaming(20'000));
  int delivered = 0;
  EXPECT_EQ(first_error(loader, delivered), path + ": structure 47: the energy is NaN or infinity");
  EXPECT_EQ(delivered, 9);
  DataConfig config;
  config.train = {{path, ""}};
  EXPECT_TRUE(error_of([&] {
                check_contents(find_training_data(config, {}), 0, 1);
              }).starts_with(path + ": the content does not match its hash"));
}

TEST(LoaderErrors, AFileThatIsCutWhileItIsReadNamesItsStructure) {
  const TemporaryFolder folder;
  const SampleSet set = write_set(folder, {lines(300)});
  const std::string path = folder / "shard0.h5";
  std::filesystem::resize_file(path, 2000);
  BatchLoader loader(set, species, cutoff, {5, 0, 0}, streaming(20'000));
  int delivered = 0;
  // HDF5 gives zeros for what lies beyond the end of a file.
  EXPECT_EQ(first_error(loader, delivered), path + ": structure 0: 0 is not an atomic number");
}

}  // namespace
}  // namespace isotrope
