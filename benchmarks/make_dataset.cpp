// SPDX-License-Identifier: MIT
// A data set of random structures, large enough to measure what does not fit into memory. Atoms lie on a jittered grid
// of molecular density (1.5 Å apart), so that neighbours are as many as in organic molecules; nothing in it is
// chemistry.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "core/random.hpp"
#include "io/dataset.hpp"

namespace {

using namespace isotrope;

Structure random_structure(SplitMix& random, int atoms) {
  static constexpr int elements[] = {1, 1, 1, 6, 6, 7, 8};
  constexpr double spacing = 1.5;
  Structure s;
  const int edge = static_cast<int>(std::ceil(std::cbrt(atoms)));
  for (int a = 0; a < atoms; ++a) {
    s.numbers.push_back(elements[random.below(std::size(elements))]);
    const int place[] = {a % edge, a / edge % edge, a / edge / edge};
    Vec3 position{}, force{};
    for (int k = 0; k < 3; ++k) {
      position[k] = spacing * (place[k] + 0.4 * (random.uniform() - 0.5));
      force[k] = random.normal();
    }
    s.positions.push_back(position);
    s.forces.push_back(force);
  }
  s.energy = -100.0 * atoms + random.normal();
  s.charge = 0;
  s.multiplicity = 1 + std::accumulate(s.numbers.begin(), s.numbers.end(), 0) % 2;
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes a data set of random structures");
  std::string path;
  double gigabytes = 1;
  int smallest = 10, largest = 200;
  app.add_option("path", path, "The data set (.h5)")->required();
  app.add_option("--gigabytes", gigabytes, "Its size, 1e9 bytes");
  app.add_option("--smallest", smallest, "Fewest atoms of a structure");
  app.add_option("--largest", largest, "Most atoms");
  CLI11_PARSE(app, argc, argv);
  SplitMix random(1);
  DatasetWriter writer(path);
  for (double bytes = 0; bytes < gigabytes * 1e9;) {
    const int atoms = smallest + static_cast<int>(random.below(largest - smallest + 1));
    writer.add(random_structure(random, atoms));
    bytes += 52 * atoms + 140;
  }
  const auto structures = writer.size();
  writer.commit({{"sources", "random"}}, false);
  std::printf("%s: %lld structures\n", path.c_str(), static_cast<long long>(structures));
}
