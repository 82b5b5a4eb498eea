// SPDX-License-Identifier: MIT
// Runs a fuzz target on damaged copies of the entries of a file, the same ones every time: fuzz_pickle steps.lmdb
// COUNT.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "io/inflate.hpp"
#include "io/lmdb.hpp"
#include "support/mutated.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

using namespace isotrope;

namespace {

/// The decompressed entries of OMol25 (.aselmdb) or PubChemQCR.
std::vector<std::string> entries(const std::string& path) {
  const auto wrapper = path.ends_with(".aselmdb") ? Inflater::Wrapper::zlib : Inflater::Wrapper::gzip;
  lmdb::File file = lmdb::File::open(path);
  Inflater inflate;
  std::vector<std::string> values;
  while (const auto entry = file.next()) values.emplace_back(inflate(entry->value, wrapper));
  return values;
}

/// A damaged copy; one in four begins as one seed and goes on as another.
std::string damaged(const std::vector<std::string>& seeds, std::mt19937& random) {
  std::string text = seeds[random() % seeds.size()];
  if (random() % 4 == 0) {
    const std::string& other = seeds[random() % seeds.size()];
    text = text.substr(0, random() % (text.size() + 1)) + other.substr(random() % (other.size() + 1));
  }
  return testing::mutated(text, random);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::vector<std::string> seeds = entries(arguments[1]);
  std::mt19937 random(1);
  const int runs = std::atoi(arguments[2]);
  for (int i = 0; i < runs; ++i) {
    const std::string text = damaged(seeds, random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  std::printf("%d inputs\n", runs);
  return 0;
}
