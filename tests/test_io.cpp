// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "core/atomic_file.hpp"
#include "core/hash.hpp"
#include "io/hdf5.hpp"
#include "io/model_file.hpp"
#include "support/temporary_folder.hpp"

using namespace isotrope;
using isotrope::testing::error_of;
using isotrope::testing::TemporaryFolder;

namespace {

ModelRecord example_record() {
  ModelRecord record;
  record.architecture = "mace";
  record.hyperparameters = {{"hidden_irreps", "4x0e+4x1o"}, {"scale", 1.0 / 3}, {"radial_mlp", {64, 64}}};
  record.elements = {8, 1};
  record.atomic_energies = {-2042.4707483631626, -13.61316063040941};
  record.cutoff = 5.1;
  // Not in alphabetical order: the order of creation must survive.
  record.parameters.add("zeta.weight", {2, 3});
  record.parameters.add("alpha", {});
  record.parameters.add("embedding.weight", {4});
  for (std::size_t i = 0; i < record.parameters.size(); ++i) record.parameters.values()[i] = 0.1 * (1.0 + i);
  record.tables["couplings"] = {{2, 2}, {1, 2, 3, 4}};
  record.training = {{"epochs", 3}};
  return record;
}

/// Bytes of a file with `from` replaced by `to` (same length), to forge a bad file.
void replace_bytes(const std::string& path, const std::string& from, const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  auto at = bytes.find(from);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, from.size(), to);
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string bytes_of(double value) {
  std::string bytes(sizeof(double), 0);
  std::memcpy(bytes.data(), &value, sizeof(double));
  return bytes;
}

}  // namespace

TEST(Hash, MatchesPublishedValues) {
  // XXH64 of nothing and of "a" with seed 0, from the specification's test vectors.
  EXPECT_EQ(ContentHash().digest(), "ef46db3751d8e999");
  ContentHash hash;
  hash.add("a");
  EXPECT_EQ(hash.digest(), "d24ec4f1a98c6e5b");
}

TEST(AtomicFile, AppearsWholeOrNotAtAll) {
  TemporaryFolder folder;
  folder.write("result.txt", "old");
  {
    AtomicFile file(folder / "result.txt");
    std::ofstream(file.temporary()) << "half";
  }
  EXPECT_EQ(folder.files(), 1);
  std::string text;
  std::ifstream(folder / "result.txt") >> text;
  EXPECT_EQ(text, "old");
  write_text_file(folder / "result.txt", "new");
  std::ifstream(folder / "result.txt") >> text;
  EXPECT_EQ(text, "new");
  EXPECT_EQ(folder.files(), 1);
  EXPECT_EQ(error_of([&] { AtomicFile file(folder / "none/x"); }),
            fmt::format("cannot write {}: the folder {} does not exist", folder / "none/x", folder / "none"));
}

TEST(Hdf5, RowsGrowAndAreReadInParts) {
  TemporaryFolder folder;
  std::string path = folder / "rows.h5";
  {
    hdf5::File file = hdf5::File::create(path);
    file.create_rows<double>("forces", {3}, 2);
    file.append_rows<double>("forces", std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8});
    file.append_rows<double>("forces", std::vector<double>{9, 10, 11});
    file.create_rows<int>("numbers", {}, 4);
    file.append_rows<int>("numbers", std::vector<int>{1, 6, 8});
    file.write_strings("names", {"", "Ångström"});
    file.write_scalar<std::int64_t>("count", 1ll << 40);
  }
  hdf5::File file = hdf5::File::open(path);
  EXPECT_EQ(file.shape("forces"), (hdf5::Shape{4, 3}));
  EXPECT_EQ(file.read_rows<double>("forces", {hdf5::any, 3}, 2, 2), (std::vector<double>{6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(file.read_rows<double>("forces", {hdf5::any, 3}, 4, 0).empty());
  EXPECT_EQ(file.read_rows<int>("numbers", {hdf5::any}, 1, 1), std::vector<int>{6});
  EXPECT_EQ(file.read<float>("numbers", {3}), (std::vector<float>{1, 6, 8}));
  EXPECT_EQ(file.read_strings("names"), (std::vector<std::string>{"", "Ångström"}));
  EXPECT_EQ(file.read_scalar<std::int64_t>("count"), 1ll << 40);
  EXPECT_EQ(file.members(), (std::vector<std::string>{"forces", "numbers", "names", "count"}));

  EXPECT_EQ(error_of([&] {
              file.read<double>("numbers", {hdf5::any, 3});
            }),
            path + ":/numbers: expected shape [n, 3], found [3]");
  EXPECT_EQ(error_of([&] {
              file.read<int>("forces", {hdf5::any, 3});
            }),
            path + ":/forces: expected integers, found another type");
  EXPECT_EQ(error_of([&] { file.read_rows<int>("numbers", {hdf5::any}, 2, 2); }),
            path + ":/numbers: expected at least 4 rows, found 3");
  EXPECT_EQ(error_of([&] { file.read<int>("stress", {}); }), path + ":/stress: missing");
  EXPECT_EQ(error_of([&] { file.string_attribute("units"); }), path + ": attribute 'units' is missing");
}

TEST(ModelFile, RoundTrip) {
  TemporaryFolder folder;
  ModelRecord record = example_record();
  write_model(folder / "model.h5", record);
  EXPECT_EQ(folder.files(), 1);
  EXPECT_TRUE(is_model_file(folder / "model.h5"));
  ModelRecord back = read_model(folder / "model.h5");
  EXPECT_EQ(back.architecture, record.architecture);
  EXPECT_EQ(back.hyperparameters, record.hyperparameters);
  EXPECT_EQ(back.training, record.training);
  EXPECT_EQ(back.elements, record.elements);
  EXPECT_EQ(back.atomic_energies, record.atomic_energies);
  EXPECT_EQ(back.cutoff, record.cutoff);
  ASSERT_EQ(back.parameters.entries().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.parameters.entries()[i].name, record.parameters.entries()[i].name);
    EXPECT_EQ(back.parameters.entries()[i].shape, record.parameters.entries()[i].shape);
    EXPECT_EQ(back.parameters.entries()[i].offset, record.parameters.entries()[i].offset);
  }
  EXPECT_EQ(back.parameters.values(), record.parameters.values());
  EXPECT_EQ(back.tables.at("couplings").shape, record.tables.at("couplings").shape);
  EXPECT_EQ(back.tables.at("couplings").values, record.tables.at("couplings").values);
  EXPECT_EQ(content_hash(back), content_hash(record));
  record.atomic_energies[1] += 1e-9;
  EXPECT_NE(content_hash(back), content_hash(record));
}

TEST(ModelFile, SameContentGivesTheSameBytes) {
  TemporaryFolder folder;
  write_model(folder / "a.h5", example_record());
  write_model(folder / "b.h5", example_record());
  std::ifstream a(folder / "a.h5", std::ios::binary), b(folder / "b.h5", std::ios::binary);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(a)), {}), std::string((std::istreambuf_iterator<char>(b)), {}));
}

TEST(ModelFile, MissingFile) {
  TemporaryFolder folder;
  EXPECT_EQ(error_of([&] { read_model(folder / "model.h5"); }),
            "cannot open " + (folder / "model.h5") + ": file not found");
}

TEST(ModelFile, NotHdf5) {
  TemporaryFolder folder;
  std::string path = folder.write("model.h5", "3\nProperties=species:S:1:pos:R:3\n");
  EXPECT_EQ(error_of([&] { read_model(path); }), "cannot open " + path + ": truncated or not an HDF5 file");
}

TEST(ModelFile, TruncatedAnywhere) {
  TemporaryFolder folder;
  std::string path = folder / "model.h5";
  write_model(path, example_record());
  const auto size = std::filesystem::file_size(path);
  for (double part : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    write_model(path, example_record());
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(part * size));
    EXPECT_EQ(error_of([&] { read_model(path); }), "cannot open " + path + ": truncated or not an HDF5 file") << part;
  }
}

TEST(ModelFile, AnotherFormat) {
  TemporaryFolder folder;
  std::string path = folder / "model.h5";
  { hdf5::File::create(path).write_attribute("format", "isotrope-dataset"); }
  EXPECT_FALSE(is_model_file(path));
  EXPECT_EQ(error_of([&] { read_model(path); }),
            path + ": expected a model file (attribute format = 'isotrope-model'), found format 'isotrope-dataset'");
}

TEST(ModelFile, NewerVersion) {
  TemporaryFolder folder;
  std::string path = folder / "model.h5";
  {
    hdf5::File file = hdf5::File::create(path);
    file.write_attribute("format", "isotrope-model");
    file.write_attribute("format_version", 7);
  }
  EXPECT_EQ(
      error_of([&] { read_model(path); }),
      path + ": model format version 7 is newer than 1, the newest that this isotrope reads: use a newer isotrope");
}

TEST(ModelFile, ChangedContent) {
  TemporaryFolder folder;
  std::string path = folder / "model.h5";
  ModelRecord record = example_record();
  write_model(path, record);
  std::string stated = content_hash(record);
  replace_bytes(path, bytes_of(5.1), bytes_of(5.2));
  record.cutoff = 5.2;
  EXPECT_EQ(
      error_of([&] { read_model(path); }),
      fmt::format("{}: the content does not match its hash (stated {}, found {}): the file was changed or damaged",
                  path, stated, content_hash(record)));
}

TEST(ModelFile, NanInParameters) {
  TemporaryFolder folder;
  std::string path = folder / "model.h5";
  ModelRecord record = example_record();
  record.parameters["alpha"][0] = std::numeric_limits<double>::quiet_NaN();
  write_model(path, record);
  EXPECT_EQ(error_of([&] { read_model(path); }),
            path + ":/parameters/alpha: expected finite numbers, found NaN or infinity");
}

TEST(Parameters, NamesAreUniqueAndKnown) {
  Parameters parameters;
  EXPECT_EQ(parameters.add("a", {2, 3}), 0u);
  EXPECT_EQ(parameters.add("b", {}), 6u);
  EXPECT_EQ(parameters.size(), 7u);
  parameters["b"][0] = 2;
  EXPECT_EQ(parameters.values().back(), 2);
  EXPECT_EQ(error_of([&] { parameters.add("a", {1}); }), "parameter 'a' exists already");
  EXPECT_EQ(error_of([&] { parameters.entry("c"); }), "no parameter 'c' in this model");
  EXPECT_EQ(error_of([&] { parameters.add("a/b", {1}); }),
            "parameter 'a/b': expected a name that is not empty and has no slash");
}
