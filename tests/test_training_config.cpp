// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/nearest.hpp"
#include "train/config.hpp"

namespace isotrope {
namespace {

const char* const good =
    "data:\n"                          // 1
    "  train: train.h5\n"              // 2
    "  validation: {fraction: 0.1}\n"  // 3
    "  isolated_atoms: atoms.h5\n"     // 4
    "model:\n"                         // 5
    "  architecture: mace\n"           // 6
    "  cutoff: 5.0\n"                  // 7
    "loss:\n"                          // 8
    "  forces: 100\n"                  // 9
    "optimiser:\n"                     // 10
    "  learning_rate: 0.01\n"          // 11
    "schedule: {kind: plateau}\n"      // 12
    "batch: {structures: 4}\n"         // 13
    "epochs: 2\n"                      // 14
    "output: model.h5\n";              // 15

class ConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("isotrope_config_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) {
    const auto path = (folder_ / "config.yaml").string();
    std::ofstream(path) << text;
    return path;
  }
  /// The good file with one text replaced; the message it gives, without the folder.
  std::string message(const std::string& from, const std::string& to) {
    std::string text = good;
    const auto place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    text.replace(place, from.size(), to);
    try {
      read_config(write(text));
    } catch (const Error& error) {
      std::string what = error.what();
      const std::string prefix = folder_.string() + "/";
      for (auto at = what.find(prefix); at != std::string::npos; at = what.find(prefix)) what.erase(at, prefix.size());
      return what;
    }
    return "no error";
  }
  std::filesystem::path folder_;
};

TEST_F(ConfigFile, ReadsWhatIsWrittenAndFillsInDefaults) {
  const TrainConfig config = read_config(write(good));
  ASSERT_EQ(config.data.train.size(), 1u);
  EXPECT_EQ(config.data.train[0].file, (folder_ / "train.h5").string());
  EXPECT_EQ(config.data.train[0].split, "");
  EXPECT_EQ(config.data.memory, std::size_t{1} << 30);
  EXPECT_EQ(config.data.workers, 1);
  EXPECT_EQ(config.data.isolated_atoms, (folder_ / "atoms.h5").string());
  EXPECT_EQ(config.data.validation_fraction, 0.1);
  EXPECT_EQ(config.loss.forces, 100);
  EXPECT_EQ(config.loss.stress, 0);
  EXPECT_TRUE(config.optimiser.amsgrad);
  EXPECT_EQ(config.schedule.kind, ScheduleConfig::Kind::plateau);
  EXPECT_EQ(config.model["architecture"], "mace");
  EXPECT_EQ(config.model["cutoff"], 5.0);
  EXPECT_EQ(config.batch_structures, 4);
  EXPECT_EQ(config.epochs, 2);
  EXPECT_EQ(config.output, "model.h5");
}

TEST_F(ConfigFile, LossOfWholeStructures) {
  std::string text = good;
  text.replace(text.find("  forces: 100"), 13,
               "  forces: 100\n  direct_forces: 3\n  energy_of: structure\n  forces_penalty: {kind: rmse}");
  const TrainConfig config = read_config(write(text));
  EXPECT_FALSE(config.loss.energy_per_atom);
  EXPECT_EQ(config.loss.direct_forces, 3);
  EXPECT_EQ(config.loss.forces_penalty.kind, PenaltyConfig::Kind::rmse);
  const TrainConfig again = read_config(write(to_yaml(to_json(config))));
  EXPECT_EQ(to_json(again).dump(), to_json(config).dump());
  EXPECT_EQ(message("  forces: 100", "  forces: 100\n  energy_of: atoms"),
            "config.yaml:10: loss.energy_of: expected one of atom, structure, found 'atoms'; did you mean 'atom'?");
}

TEST_F(ConfigFile, TheResolvedFormReadsBackAsItself) {
  const TrainConfig config = read_config(write(good));
  const TrainConfig again = read_config(write(to_yaml(to_json(config))));
  EXPECT_EQ(to_json(again).dump(), to_json(config).dump());
}

TEST_F(ConfigFile, DataMayBeListsAndSetsOfASplit) {
  std::string text = good;
  const auto replace = [&](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace("train: train.h5", "train: [a.h5, {file: b.h5, split: train}]\n  memory: 1.5 MiB\n  workers: 2");
  replace("{fraction: 0.1}", "{file: b.h5, split: validation}");
  replace("{structures: 4}", "{edges: 5000}");
  const TrainConfig config = read_config(write(text));
  ASSERT_EQ(config.data.train.size(), 2u);
  EXPECT_EQ(config.data.train[0].file, (folder_ / "a.h5").string());
  EXPECT_EQ(config.data.train[1].file, (folder_ / "b.h5").string());
  EXPECT_EQ(config.data.train[1].split, "train");
  ASSERT_EQ(config.data.validation.size(), 1u);
  EXPECT_EQ(config.data.validation[0].split, "validation");
  EXPECT_EQ(config.data.validation_fraction, 0);
  EXPECT_EQ(config.data.memory, 3u << 19);
  EXPECT_EQ(config.data.workers, 2);
  EXPECT_EQ(config.batch_edges, 5000);
  const TrainConfig again = read_config(write(to_yaml(to_json(config))));
  EXPECT_EQ(to_json(again).dump(), to_json(config).dump());
}

TEST_F(ConfigFile, WrongDataIsRefused) {
  EXPECT_EQ(message("train: train.h5", "train: []"), "config.yaml:2: data.train: expected at least one file");
  EXPECT_EQ(message("train: train.h5", "train: {split: train}"), "config.yaml:2: data.train.file is missing");
  EXPECT_EQ(message("train: train.h5", "train: [{file: a.h5, spilt: train}]"),
            "config.yaml:2: unknown key 'data.train.spilt'; did you mean 'split'?");
  const std::string expected = "config.yaml:3: data.memory: expected something like '1 GiB' or '500 MiB', found ";
  for (const char* memory : {"1", "1 GB", "-1 GiB", "1 GiB more", "much", "0 MiB"})
    EXPECT_EQ(message("train: train.h5", std::string("train: train.h5\n  memory: ") + memory),
              expected + "'" + memory + "'");
  EXPECT_EQ(message("train: train.h5", "train: train.h5\n  workers: 0"),
            "config.yaml:3: data.workers: expected an integer of 1 or more, found 0");
}

TEST_F(ConfigFile, TheModelSectionKeepsTypes) {
  const std::string text =
      "{architecture: mace, cutoff: 5, radial_mlp: [64, 32], hidden_irreps: 8x0e+8x1o, flag: true, name: '7'}";
  std::string file = good;
  const auto begin = file.find("model:"), end = file.find("loss:");
  file.replace(begin, end - begin, "model: " + text + "\n");
  const TrainConfig config = read_config(write(file));
  EXPECT_TRUE(config.model["cutoff"].is_number_integer());
  EXPECT_EQ(config.model["radial_mlp"].dump(), "[64,32]");
  EXPECT_EQ(config.model["hidden_irreps"], "8x0e+8x1o");
  EXPECT_EQ(config.model["flag"], true);
}

TEST_F(ConfigFile, UnknownKeysNameTheNearest) {
  EXPECT_EQ(message("learning_rate", "learning_rte"),
            "config.yaml:11: unknown key 'optimiser.learning_rte'; did you mean 'learning_rate'?");
  EXPECT_EQ(message("epochs", "epoch"), "config.yaml:14: unknown key 'epoch'; did you mean 'epochs'?");
  EXPECT_EQ(message("{kind: plateau}", "{kind: constant, patience: 3}"),
            "config.yaml:12: unknown key 'schedule.patience'; did you mean 'kind'?");
}

TEST_F(ConfigFile, WrongTypesAreRefused) {
  EXPECT_EQ(message("0.01", "fast"), "config.yaml:11: optimiser.learning_rate: expected a number, found 'fast'");
  EXPECT_EQ(message("0.01", "'0.01'"), "config.yaml:11: optimiser.learning_rate: expected a number, found '0.01'");
  EXPECT_EQ(message("epochs: 2", "epochs: 2.5"), "config.yaml:14: epochs: expected an integer, found '2.5'");
  EXPECT_EQ(message("  forces: 100", "  forces: [1, 2]"),
            "config.yaml:9: loss.forces: expected a number, found a list");
  EXPECT_EQ(message("{structures: 4}", "4"), "config.yaml:13: batch: expected a section of 'key: value' lines");
  EXPECT_EQ(
      message("plateau", "platau"),
      "config.yaml:12: schedule.kind: expected one of constant, plateau, cosine, exponential, found 'platau'; did you "
      "mean 'plateau'?");
}

TEST_F(ConfigFile, WrongValuesAreRefused) {
  EXPECT_EQ(message("0.01", "-1"), "config.yaml:11: optimiser.learning_rate: expected a number above 0, found -1");
  EXPECT_EQ(message("0.01", ".nan"), "config.yaml:11: optimiser.learning_rate: expected a number above 0, found nan");
  EXPECT_EQ(message("forces: 100", "forces: -100"),
            "config.yaml:9: loss.forces: expected a number from 0 to 1e+300, found -100");
  EXPECT_EQ(message("fraction: 0.1", "fraction: 1"),
            "config.yaml:3: data.validation.fraction: expected a number between 0 and 1, found 1");
  EXPECT_EQ(message("{fraction: 0.1}", "0.1"),
            "config.yaml:3: data.validation: a fraction is written {fraction: 0.1, seed: 1}");
  EXPECT_EQ(message("{fraction: 0.1}", "none"),
            "config.yaml:12: schedule: kind plateau follows the validation loss, but data.validation is none");
  EXPECT_EQ(message("{structures: 4}", "{structures: 4, atoms: 100}"),
            "config.yaml:13: batch.structures: expected one of batch.structures, batch.atoms and batch.edges");
  EXPECT_EQ(message("epochs: 2\n", ""),
            "config.yaml:1: epochs: nothing says when to stop: set epochs, steps or time_limit (seconds)");
  EXPECT_EQ(message("model.h5", "model"),
            "config.yaml:15: output: expected the name of a model file that ends in .h5, found 'model'");
  EXPECT_EQ(message("epochs: 2", "epochs: 2\nvalidate_every: 3"),
            "config.yaml:15: validate_every: expected something like '1 epochs', '500 steps' or 'never', found '3'");
}

TEST_F(ConfigFile, WhatIsMissingOrTwiceIsNamed) {
  EXPECT_EQ(message("  isolated_atoms: atoms.h5\n", ""), "config.yaml:2: data.isolated_atoms is missing");
  EXPECT_EQ(message("epochs: 2\n", "epochs: 2\nepochs: 3\n"),
            "config.yaml:15: epochs: the key is there twice, remove one");
  EXPECT_EQ(message("epochs: 2", "epochs: [2"), "config.yaml:15: not valid YAML: end of sequence flow not found");
  try {
    read_config("absent.yaml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cannot read the configuration 'absent.yaml': no such file");
  }
}

TEST(Nearest, EditDistance) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("same", "same"), 0);
  EXPECT_EQ(nearest("force", {"energy", "forces", "stress"}), "forces");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace isotrope
