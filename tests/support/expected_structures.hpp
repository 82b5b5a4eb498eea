// SPDX-License-Identifier: MIT
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "io/hdf5.hpp"
#include "io/reader.hpp"

namespace isotrope::testing {

inline std::string fixture(const std::string& name) {
  return std::string(ISOTROPE_SOURCE_DIR) + "/tests/data/formats/" + name;
}

inline std::vector<Structure> read_all(const std::string& path, const ReadOptions& options,
                                       const std::string& format = "") {
  auto reader = open_reader(path, format, options);
  std::vector<Structure> structures;
  for (Structure s; reader->next(s);) structures.push_back(s);
  EXPECT_EQ(reader->progress(), 1);
  return structures;
}

inline std::vector<std::string> report_of(const std::string& path, const ReadOptions& options,
                                          const std::string& format = "") {
  auto reader = open_reader(path, format, options);
  for (Structure s; reader->next(s);) continue;
  return lines_of(reader->report());
}

/// The bits of a number: equal also for two NaN.
inline std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// What Python read from a fixture, expected_*.h5 of scripts/make_dataset_fixtures.py. Labels that are missing are NaN.
class Expected {
 public:
  explicit Expected(const std::string& name) : file_(hdf5::File::open(fixture(name))) {
    offsets_ = file_.read<std::int64_t>("offsets", {hdf5::any});
    groups_ = file_.read_strings("group");
    for (const char* member : {"numbers", "charge", "multiplicity", "step"})
      integers_[member] = file_.read<int>(member, {hdf5::any});
    reals_["energy"] = file_.read<double>("energy", {hdf5::any});
    for (const char* member : {"positions", "forces"}) reals_[member] = file_.read<double>(member, {hdf5::any, 3});
    for (const char* member : {"cell", "stress"}) reals_[member] = file_.read<double>(member, {hdf5::any, 3, 3});
    periodic_ = file_.read<std::uint8_t>("periodic", {hdf5::any, 3});
  }
  int size() const { return static_cast<int>(groups_.size()); }
  const std::string& group(int i) const { return groups_[i]; }
  double stress(int i, int row, int column) const { return reals_.at("stress")[9 * i + 3 * row + column]; }
  int integer(const char* member, int i) const { return integers_.at(member)[i]; }

  /// Bit for bit; the stress only where `stress_to_the_bit`.
  void compare(int i, const Structure& s, bool stress_to_the_bit = true) const {
    ASSERT_EQ(s.size(), offsets_[i + 1] - offsets_[i]);
    for (int a = 0; a < s.size(); ++a) {
      EXPECT_EQ(s.numbers[a], integers_.at("numbers")[offsets_[i] + a]);
      compare("positions", offsets_[i] + a, s.positions[a]);
      if (!s.forces.empty()) compare("forces", offsets_[i] + a, s.forces[a]);
    }
    const bool has_forces = !std::isnan(reals_.at("forces")[3 * offsets_[i]]);
    EXPECT_EQ(s.forces.size(), has_forces ? s.numbers.size() : 0);
    ASSERT_EQ(s.energy.has_value(), !std::isnan(reals_.at("energy")[i]));
    if (s.energy) {
      EXPECT_EQ(bits(*s.energy), bits(reals_.at("energy")[i]));
    }
    EXPECT_EQ(s.stress.has_value(), !std::isnan(reals_.at("stress")[9 * i]));
    for (int d = 0; d < 3; ++d) {
      compare("cell", 3 * i + d, s.cell[d]);
      if (s.stress && stress_to_the_bit) compare("stress", 3 * i + d, (*s.stress)[d]);
      EXPECT_EQ(s.periodic[d], periodic_[3 * i + d] != 0);
    }
    EXPECT_EQ(s.group, groups_[i]);
  }

 private:
  void compare(const char* member, std::int64_t row, const Vec3& found) const {
    for (int d = 0; d < 3; ++d) EXPECT_EQ(bits(found[d]), bits(reals_.at(member)[3 * row + d])) << member << " " << row;
  }
  hdf5::File file_;
  std::vector<std::int64_t> offsets_;
  std::map<std::string, std::vector<int>> integers_;
  std::map<std::string, std::vector<double>> reals_;
  std::vector<std::uint8_t> periodic_;
  std::vector<std::string> groups_;
};

}  // namespace isotrope::testing
