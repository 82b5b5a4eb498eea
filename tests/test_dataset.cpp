// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "io/census.hpp"
#include "io/dataset.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::TemporaryFolder;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Structures with every combination of labels, sizes 1 to 7.
Structure example(int index) {
  std::mt19937_64 random(index);
  std::uniform_real_distribution<double> uniform(-3, 3);
  auto vector = [&] { return Vec3{uniform(random), uniform(random), uniform(random)}; };
  Structure s;
  for (int i = 0; i < 1 + index % 7; ++i) {
    s.numbers.push_back(2 * (1 + (index + i) % 4));
    s.positions.push_back(vector());
    if (index % 2 == 0) s.forces.push_back(vector());
  }
  if (index % 3 != 0) s.energy = uniform(random);
  if (index % 5 == 4) {
    s.periodic = {true, true, index % 10 == 4};
    for (int d = 0; d < 3; ++d) s.cell[d] = s.periodic[d] ? vector() : Vec3{};
    s.stress = Mat3{Vec3{1, 2, 3}, {2, 4, 5}, {3, 5, uniform(random)}};
  }
  if (index % 4 != 3) s.charge = 2 * (index % 2);
  if (index % 4 == 1) s.multiplicity = 1;
  s.config_type = index % 6 == 0 ? "" : fmt::format("type {}", index % 6);
  s.group = fmt::format("{}K", 300 * (index % 2));
  s.weight = 1 + index % 3;
  if (index % 8 > 5) s.step = index % 8;
  if (index % 9 == 8) s.split = "test";
  return s;
}

void expect_equal(const Structure& a, const Structure& b) {
  EXPECT_EQ(a.numbers, b.numbers);
  EXPECT_EQ(a.positions, b.positions);
  EXPECT_EQ(a.cell, b.cell);
  EXPECT_EQ(a.periodic, b.periodic);
  EXPECT_EQ(a.energy, b.energy);
  EXPECT_EQ(a.forces, b.forces);
  EXPECT_EQ(a.stress, b.stress);
  EXPECT_EQ(a.charge, b.charge);
  EXPECT_EQ(a.multiplicity, b.multiplicity);
  EXPECT_EQ(a.config_type, b.config_type);
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.split, b.split);
}

std::string write_examples(const TemporaryFolder& folder, int count) {
  DatasetWriter writer(folder / "data.h5");
  for (int i = 0; i < count; ++i) writer.add(example(i));
  writer.commit({{"level_of_theory", "none"}});
  return folder / "data.h5";
}

/// A data set of one labelled hydrogen molecule in which one value of one member is replaced, to forge a bad file.
std::string forged(const TemporaryFolder& folder, const std::string& member, double value) {
  std::string path = folder / "forged.h5";
  hdf5::File file = hdf5::File::create(path);
  file.write_attribute("format", "isotrope-dataset");
  file.write_attribute("format_version", 1);
  file.write_attribute("provenance", "{}");
  file.write_attribute("content_hash", "0000000000000000");
  auto doubles = [&](const std::string& name, const hdf5::Shape& shape, std::vector<double> values) {
    if (name == member) values.back() = value;
    file.write<double>(name, values, shape);
  };
  auto integers = [&](const std::string& name, const hdf5::Shape& shape, std::vector<int> values) {
    if (name == member) values.back() = static_cast<int>(value);
    file.write<int>(name, values, shape);
  };
  doubles("positions", {2, 3}, {0, 0, 0, 0, 0, 0.74});
  doubles("forces", {2, 3}, std::vector<double>(6, 0.0));
  doubles("energy", {1}, {-31.7});
  doubles("cell", {1, 3, 3}, std::vector<double>(9, 0.0));
  doubles("weight", {1}, {1});
  integers("numbers", {2}, {1, 1});
  integers("charge", {1}, {0});
  integers("multiplicity", {1}, {1});
  integers("config_type", {1}, {0});
  integers("group", {1}, {0});
  file.write<std::int64_t>("offsets", std::vector<std::int64_t>{0, member == "offsets" ? std::int64_t(value) : 2}, {2});
  file.write<std::uint8_t>("periodic", std::vector<std::uint8_t>(3, 0), {1, 3});
  for (const char* name : {"has_energy", "has_forces", "has_stress", "has_charge", "has_multiplicity"}) {
    std::uint8_t flag = std::string(name) != "has_stress";
    file.write<std::uint8_t>(name, {&flag, 1}, {1});
  }
  file.write_strings("config_type_names", {""});
  file.write_strings("group_names", {""});
  return path;
}

}  // namespace

TEST(Dataset, RoundTripOverManyBlocks) {
  TemporaryFolder folder;
  const int count = 9000;  // more than two blocks of structures; the first stress appears within the first
  Dataset dataset = Dataset::open(write_examples(folder, count));
  EXPECT_EQ(folder.files(), 1);
  ASSERT_EQ(dataset.size(), count);
  dataset.check_content();
  std::vector<Structure> all = dataset.read_range(0, count);
  LabelCounts expected;
  for (int i = 0; i < count; ++i) {
    Structure structure = example(i);
    expect_equal(all[i], structure);
    expected.energy += structure.energy.has_value();
    expected.forces += !structure.forces.empty();
    expected.stress += structure.stress.has_value();
    expected.charge += structure.charge.has_value();
    expected.multiplicity += structure.multiplicity.has_value();
    if (HasFailure()) FAIL() << "structure " << i;
  }
  for (int i : {0, 4095, 4096, 8999}) expect_equal(dataset.read(i), example(i));
  expect_equal(dataset.read_range(4090, 10).at(7), example(4097));
  EXPECT_EQ(dataset.labels().energy, expected.energy);
  EXPECT_EQ(dataset.labels().forces, expected.forces);
  EXPECT_EQ(dataset.labels().stress, expected.stress);
  EXPECT_EQ(dataset.labels().charge, expected.charge);
  EXPECT_EQ(dataset.labels().multiplicity, expected.multiplicity);
  EXPECT_EQ(dataset.provenance().at("level_of_theory"), "none");
}

TEST(Dataset, FirstStressInALaterBlock) {
  TemporaryFolder folder;
  {
    DatasetWriter writer(folder / "data.h5");
    for (int i = 0; i < 5000; ++i) writer.add(example(5));
    writer.add(example(4));
    writer.commit({});
  }
  Dataset dataset = Dataset::open(folder / "data.h5");
  dataset.check_content();
  EXPECT_EQ(dataset.labels().stress, 1);
  expect_equal(dataset.read(4999), example(5));
  expect_equal(dataset.read(5000), example(4));
}

TEST(Dataset, FirstStepAndSplitInALaterBlock) {
  TemporaryFolder folder;
  Structure late = example(5);
  late.step = 0;
  late.split = "validation";
  {
    DatasetWriter writer(folder / "data.h5");
    for (int i = 0; i < 5000; ++i) writer.add(example(5));
    writer.add(late);
    writer.commit({});
  }
  Dataset dataset = Dataset::open(folder / "data.h5");
  dataset.check_content();
  expect_equal(dataset.read(0), example(5));
  expect_equal(dataset.read(4999), example(5));
  expect_equal(dataset.read(5000), late);
}

TEST(Dataset, RegistryReaderStreamsTheSame) {
  TemporaryFolder folder;
  auto reader = open_reader(write_examples(folder, 600), "", {});
  Structure structure;
  Census census;
  int count = 0;
  for (; reader->next(structure); ++count) {
    expect_equal(structure, example(count));
    census.add(structure);
  }
  EXPECT_EQ(count, 600);
  EXPECT_EQ(reader->progress(), 1);
  nlohmann::json json = census.json();
  EXPECT_EQ(json["structures"], 600);
  EXPECT_EQ(json["elements"], (std::vector<std::string>{"He", "Be", "C", "O"}));
  EXPECT_EQ(json["labels"]["forces"], 300);
  EXPECT_EQ(json["groups"]["0K"], 300);
}

TEST(Dataset, NothingAppearsWithoutCommit) {
  TemporaryFolder folder;
  { DatasetWriter(folder / "data.h5").add(example(1)); }
  EXPECT_EQ(folder.files(), 0);
}

TEST(Dataset, EmptyIsRefused) {
  TemporaryFolder folder;
  std::string path = folder / "data.h5";
  EXPECT_EQ(error_of([&] { DatasetWriter(path).commit({}); }), path + ": not written, there are no structures");
  {
    hdf5::File file = hdf5::File::create(path);
    file.write_attribute("format", "isotrope-dataset");
    file.write_attribute("format_version", 1);
    file.write<std::int64_t>("offsets", std::vector<std::int64_t>{0}, {1});
  }
  EXPECT_EQ(error_of([&] { Dataset::open(path); }), path + ": the data set has no structures");
}

TEST(Dataset, NanNamesTheStructure) {
  TemporaryFolder folder;
  std::string path = folder / "forged.h5";
  auto error = [&](const std::string& member, double value) {
    forged(folder, member, value);
    return error_of([&] { Dataset::open(path).read_range(0, 1); });
  };
  Dataset::open(forged(folder, "", 0)).read(0);  // without a forged value it is fine
  EXPECT_EQ(error("positions", not_a_number), path + ": structure 0: NaN or infinity in the position of atom 1");
  EXPECT_EQ(error("forces", not_a_number), path + ": structure 0: NaN or infinity in the forces of atom 1");
  EXPECT_EQ(error("energy", not_a_number), path + ": structure 0: the energy is NaN or infinity");
  EXPECT_EQ(error("numbers", 119), path + ": structure 0: 119 is not an atomic number");
  EXPECT_EQ(error("multiplicity", 2),
            path +
                ": structure 0: multiplicity 2 does not agree with 2 electrons (charge 0): 2S+1 is odd for an even "
                "number of electrons and even for an odd one");
  EXPECT_EQ(error("config_type", 1), path + ": structure 0: 1 is no index of the 1 names");
  EXPECT_EQ(error("offsets", 3), path + ":/numbers: expected shape [3], found [2]");
  forged(folder, "", 0);
  std::string message = error_of([&] { Dataset::open(path).check_content(); });
  EXPECT_NE(message.find("the content does not match its hash (stated 0000000000000000, found "), std::string::npos);
}

TEST(Dataset, WriterRefusesNan) {
  TemporaryFolder folder;
  DatasetWriter writer(folder / "data.h5");
  writer.add(example(2));
  Structure bad = example(2);
  bad.forces[1][2] = not_a_number;
  EXPECT_EQ(error_of([&] { writer.add(bad); }),
            (folder / "data.h5") + ": structure 1: NaN or infinity in the forces of atom 1");
}

TEST(Dataset, BadFiles) {
  TemporaryFolder folder;
  std::string path = write_examples(folder, 50);
  EXPECT_EQ(error_of([&] { Dataset::open(folder / "x.h5"); }), "cannot open " + (folder / "x.h5") + ": file not found");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_EQ(error_of([&] { Dataset::open(path); }), "cannot open " + path + ": truncated or not an HDF5 file");
  {
    hdf5::File file = hdf5::File::create(path);
    file.write_attribute("format", "isotrope-dataset");
    file.write_attribute("format_version", 2);
  }
  EXPECT_EQ(
      error_of([&] { Dataset::open(path); }),
      path + ": data set format version 2 is newer than 1, the newest that this isotrope reads: use a newer isotrope");
  { hdf5::File::create(path).write_attribute("format", "isotrope-model"); }
  EXPECT_EQ(error_of([&] { Dataset::open(path); }),
            path + ": expected a data set (attribute format = 'isotrope-dataset'), found format 'isotrope-model'");
}
