// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/python_random.hpp"
#include "io/split.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::TemporaryFolder;

namespace {

/// Orders that Python drew (scripts/make_dataset_fixtures.py).
nlohmann::json python_orders() {
  std::ifstream in(std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/formats/splits.json");
  return nlohmann::json::parse(in);
}

/// Three structures of each of `groups` groups, one after the other.
SplitInput trajectories(int groups) {
  SplitInput input;
  for (int g = 0; g < groups; ++g) {
    input.group_names.push_back(fmt::format("{:09d}", 7 * g));
    for (int i = 0; i < 3; ++i) input.group.push_back(g);
  }
  return input;
}

TEST(PythonRandom, ShuffleIsThatOfPython) {
  const auto cases = python_orders();
  ASSERT_EQ(cases.size(), 24u);
  for (const auto& one : cases) {
    const auto expected = one.at("order").get<std::vector<int>>();
    std::vector<int> order(expected.size());
    std::iota(order.begin(), order.end(), 0);
    PythonRandom(one.at("seed").get<std::uint64_t>()).shuffle(order);
    EXPECT_EQ(order, expected) << "seed " << one.at("seed");
  }
}

TEST(PythonRandom, WideNumbersTakeTheLowWordFirst) {
  // import random; random.seed(42); [random.getrandbits(k) for k in (40, 64, 1)]
  PythonRandom random(42);
  EXPECT_EQ(random.bits(40), 123005401501u);
  EXPECT_EQ(random.bits(64), 13679192365072849617u);
  EXPECT_EQ(random.bits(1), 0u);
}

TEST(Split, PubChemQcrRule) {
  for (const auto& one : python_orders()) {
    const auto order = one.at("order").get<std::vector<int>>();
    if (one.at("seed") != 42 || order.size() < 10) continue;
    const int n = static_cast<int>(order.size());
    const Split split = make_split({SplitRule::Kind::pubchemqcr, {0.6, 0.2, 0.2}, 42, ""}, trajectories(n));
    const int train = static_cast<int>(0.6 * n), validation = static_cast<int>(0.2 * n);
    for (int k = 0; k < n; ++k) {
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(split.set[3 * order[k] + i], k < train ? 0 : k < train + validation ? 1 : 2);
    }
  }
}

TEST(Split, RatiosAndSeeds) {
  const SplitInput input = trajectories(50);
  for (auto kind : {SplitRule::Kind::structure, SplitRule::Kind::group}) {
    const Split split = make_split({kind, {0.8, 0.1, 0.1}, 1, ""}, input);
    const Split same = make_split({kind, {0.8, 0.1, 0.1}, 1, ""}, input);
    const Split other = make_split({kind, {0.8, 0.1, 0.1}, 2, ""}, input);
    EXPECT_EQ(split.set, same.set);
    EXPECT_NE(split.set, other.set);
    EXPECT_EQ(split.record.at("structures"), nlohmann::json::parse(R"({"train": 120, "validation": 15, "test": 15})"));
    std::set<int> torn;
    for (int i = 0; i < 150; ++i)
      if (split.set[i] != split.set[i - i % 3]) torn.insert(i / 3);
    EXPECT_EQ(torn.empty(), kind == SplitRule::Kind::group);
  }
}

TEST(Split, FileOfIds) {
  TemporaryFolder folder;
  const std::string path = folder.write("ids.json", R"({"train": ["000000000", 4], "test": ["000000014"]})");
  const Split split = make_split({SplitRule::Kind::file, {}, 0, path}, trajectories(3));
  ASSERT_EQ(split.names, (std::vector<std::string>{"test", "train"}));
  EXPECT_EQ(split.set, (std::vector<std::int8_t>{1, 1, 1, -1, 1, -1, 0, 0, 0}));
  EXPECT_EQ(split.record.at("structures").at("(none)"), 2);
}

TEST(Split, ErrorsSayWhatIsWrong) {
  const SplitInput input = trajectories(3);
  const auto error = [&](SplitRule rule, const SplitInput& of) { return error_of([&] { make_split(rule, of); }); };
  using Kind = SplitRule::Kind;
  EXPECT_EQ(error({Kind::group, {0.8, 0.1}, 1, ""}, input),
            "--split-ratios: expected three numbers (train, validation, test), found 2");
  EXPECT_EQ(error({Kind::group, {0.8, 0.1, 0.2}, 1, ""}, input),
            "--split-ratios: expected numbers that add to 1, found 0.8, 0.1, 0.2");
  EXPECT_EQ(error({Kind::group, {0.8, 0.1, 0.1}, 1, ""}, input),
            "--split-ratios: 0.1 of 3 groups leaves the validation set empty");
  EXPECT_EQ(error({Kind::group, {0.6, 0.4, 0}, 1, ""}, {{0, 1}, {"a", ""}}),
            "--split: structure 1 belongs to no group: say --group, or --split structure");
  TemporaryFolder folder;
  const auto file_error = [&](const std::string& text) {
    const std::string path = folder.write("ids.json", text);
    return error({Kind::file, {}, 0, path}, input).substr(path.size());
  };
  EXPECT_EQ(file_error(R"({"train": ["5"]})"), ": train: no structure has the group \"5\"");
  EXPECT_EQ(file_error(R"({"train": [9]})"), ": train: 9 is no group and no structure of 9");
  EXPECT_EQ(file_error(R"({"train": [-1]})"), ": train: -1 is no group and no structure of 9");
  EXPECT_EQ(file_error(R"({"train": [0], "test": [0]})"), ": 0 is in 'test' and in 'train'");
  EXPECT_EQ(file_error(R"({"train": [0], "test": ["000000000"]})"), ": structure 0 is in 'train' and in 'test'");
  EXPECT_EQ(file_error("["),
            ": expected a JSON object of sets, each a list of groups (text) or of places in the data set (numbers)");
}

}  // namespace
