// SPDX-License-Identifier: MIT
// Means of errors, and which structures of a file are taken.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/error_report.hpp"
#include "evaluate/structure_source.hpp"
#include "support/temporary_folder.hpp"

namespace isotrope {
namespace {

Structure labelled(int atoms, double energy, const std::string& group) {
  Structure s;
  s.numbers.assign(atoms, 1);
  s.positions.resize(atoms);
  s.energy = energy;
  s.forces.assign(atoms, Vec3{1, 0, 0});
  s.stress = Mat3{};
  s.group = group;
  return s;
}

TEST(ErrorSums, AreTheStatedMeans) {
  Labels labels;
  labels.append(labelled(2, -1, ""), 1);
  labels.append(labelled(4, -3, ""), 5);  // weights do not enter
  Prediction prediction{{-1.5, -2.6}, std::vector<Vec3>(6, Vec3{1, 0, 0}), {Mat3{}, Mat3{}}};
  prediction.forces[5] = {1, 0.6, -1.2};
  prediction.stress[1][2][0] = 0.18;
  ErrorSums sums;
  sums.add(labels, prediction);
  EXPECT_NEAR(sums.energy_mae(), (0.25 + 0.1) / 2, 1e-15);
  EXPECT_NEAR(sums.energy_rmse(), std::sqrt((0.0625 + 0.01) / 2), 1e-15);
  EXPECT_NEAR(sums.energy_total_rmse(), std::sqrt((0.25 + 0.16) / 2), 1e-15);
  EXPECT_NEAR(sums.force_mae(), 1.8 / 18, 1e-15);
  EXPECT_NEAR(sums.force_rmse(), std::sqrt(1.8 / 18), 1e-15);
  EXPECT_NEAR(sums.stress_mae(), 0.18 / 18, 1e-15);
  EXPECT_NEAR(sums.stress_rmse(), 0.18 / std::sqrt(18.0), 1e-15);
  ErrorSums halves;
  halves.add(labels, prediction, 1);
  halves.add(labels, prediction, 0);
  for (std::size_t k = 0; k < sums.values().size(); ++k)
    EXPECT_NEAR(halves.values()[k], sums.values()[k], 1e-15) << "sum " << k;
}

TEST(ErrorSums, WithoutALabelAreNaN) {
  Structure bare = labelled(2, 0, "");
  bare.energy.reset();
  bare.forces.clear();
  bare.stress.reset();
  Labels labels;
  labels.append(bare, 1);
  ErrorSums sums;
  sums.add(labels, {{7}, {Vec3{7, 7, 7}, Vec3{}}, {Mat3{}}});
  for (const double mean : {sums.energy_mae(), sums.energy_rmse(), sums.energy_total_rmse(), sums.force_mae(),
                            sums.force_rmse(), sums.stress_mae(), sums.stress_rmse()})
    EXPECT_TRUE(std::isnan(mean));
}

std::string file_of(const testing::TemporaryFolder& folder, int structures) {
  std::string text;
  for (int k = 0; k < structures; ++k) {
    text +=
        k % 3 == 0 ? fmt::format("1\nenergy={}\nH 0 0 0\n", k) : fmt::format("2\nenergy={}\nH 0 0 0\nH 0 0 0.74\n", k);
  }
  return folder.write("data.xyz", text);
}

TEST(StructureSource, SamplesAreWholeDistinctAndSpread) {
  const testing::TemporaryFolder folder;
  const std::string path = file_of(folder, 100);
  for (const int count : {1, 2, 5, 7, 66, 200}) {
    const auto sample = sample_structures(path, count, [](const Structure& s) { return s.size() == 2; });
    ASSERT_EQ(static_cast<int>(sample.size()), std::min(count, 66));
    for (std::size_t k = 0; k < sample.size(); ++k) {
      EXPECT_EQ(sample[k].structure.size(), 2);
      EXPECT_EQ(sample[k].structure.energy, sample[k].index) << "the structure of that place in the file";
    }
    for (std::size_t k = 1; k < sample.size(); ++k) EXPECT_GT(sample[k].index, sample[k - 1].index);
    const double reach = static_cast<double>(sample.back().index - sample.front().index);
    EXPECT_GE(reach, 50.0 * (1 - 1.0 / count));
  }
}

TEST(StructureSource, TakesTheFirstUntilThereAreEnoughAtoms) {
  const testing::TemporaryFolder folder;
  const std::string path = file_of(folder, 9);
  EXPECT_EQ(first_structures(path, 1).size(), 1u);
  EXPECT_EQ(first_structures(path, 4).size(), 3u);
  EXPECT_EQ(first_structures(path, 1000).size(), 9u);
}

}  // namespace
}  // namespace isotrope
