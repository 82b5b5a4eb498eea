// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "geometry/graph.hpp"
#include "geometry/neighbour_list.hpp"
#include "geometry/space_curve.hpp"
#include "support/message_of.hpp"
#include "support/random_structure.hpp"

namespace isotrope {
namespace {

using namespace testing_support;

/// From the definition: every image up to a bound that is certainly large enough.
NeighbourList brute_force(const Structure& s, double cutoff) {
  std::array<int, 3> images{};
  Vec3 lowest = s.positions[0], highest = s.positions[0];
  for (const Vec3& p : s.positions) {
    for (int k = 0; k < 3; ++k) {
      lowest[k] = std::min(lowest[k], p[k]);
      highest[k] = std::max(highest[k], p[k]);
    }
  }
  const Vec3 diagonal = highest - lowest;
  const double reach = cutoff + std::sqrt(dot(diagonal, diagonal));
  // The thickness of the cell along k when open directions are left out of it.
  for (int k = 0; k < 3; ++k) {
    if (!s.periodic[k]) continue;
    Vec3 rest = s.cell[k];
    std::vector<Vec3> basis;
    for (int m = 0; m < 3; ++m) {
      if (m == k || !s.periodic[m]) continue;
      Vec3 b = s.cell[m];
      for (const Vec3& q : basis) b = b - dot(b, q) * q;
      basis.push_back((1 / std::sqrt(dot(b, b))) * b);
    }
    for (const Vec3& q : basis) rest = rest - dot(rest, q) * q;
    images[k] = static_cast<int>(reach / std::sqrt(dot(rest, rest))) + 1;
  }
  NeighbourList list;
  list.first.push_back(0);
  for (int i = 0; i < s.size(); ++i) {
    for (int j = 0; j < s.size(); ++j) {
      for (int a = -images[0]; a <= images[0]; ++a) {
        for (int b = -images[1]; b <= images[1]; ++b) {
          for (int c = -images[2]; c <= images[2]; ++c) {
            if (i == j && a == 0 && b == 0 && c == 0) continue;
            const Vec3 image = double(a) * s.cell[0] + double(b) * s.cell[1] + double(c) * s.cell[2];
            const Vec3 r = s.positions[j] - s.positions[i] + image;
            if (dot(r, r) >= cutoff * cutoff) continue;
            list.neighbour.push_back(j);
            list.r.push_back(r);
          }
        }
      }
    }
    list.first.push_back(static_cast<std::int64_t>(list.neighbour.size()));
  }
  return list;
}

void expect_equal(const NeighbourList& found, const NeighbourList& expected, double tolerance) {
  ASSERT_EQ(found.first, expected.first);
  ASSERT_EQ(found.neighbour, expected.neighbour);
  ASSERT_EQ(found.r.size(), expected.r.size());
  for (std::size_t e = 0; e < found.r.size(); ++e) {
    const Vec3 d = found.r[e] - expected.r[e];
    ASSERT_LE(std::sqrt(dot(d, d)), tolerance) << "edge " << e;
  }
}

std::string message_of(const Structure& s, double cutoff = 3) {
  return testing::message_of([&] { build_neighbour_list(s, cutoff); });
}

TEST(NeighbourList, RandomCellsAgreeWithBruteForce) {
  Generator generator(1);
  std::size_t pairs = 0;
  for (int trial = 0; trial < 240; ++trial) {
    const int pbc = trial % 8;
    const std::array<bool, 3> periodic = {(pbc & 1) != 0, (pbc & 2) != 0, (pbc & 4) != 0};
    const double size = trial % 3 == 0 ? 2 : trial % 3 == 1 ? 6 : 11;
    const Mat3 cell = random_cell(generator, 0.7 * size, 1.3 * size);
    const Structure s = random_structure(generator, 1 + trial % 23, cell, periodic);
    const double cutoff = uniform(generator, 1.5, 5);
    const NeighbourList list = build_neighbour_list(s, cutoff);
    SCOPED_TRACE(::testing::Message() << "trial " << trial);
    ASSERT_NO_FATAL_FAILURE(expect_equal(list, brute_force(s, cutoff), 1e-12));
    pairs += list.r.size();
  }
  EXPECT_GT(pairs, 20000u);
}

TEST(NeighbourList, ManyAtomsInManyBins) {
  Generator generator(2);
  for (const std::array<bool, 3> periodic :
       {std::array{true, true, true}, {false, false, false}, {true, false, true}}) {
    const Mat3 cell = {{{14, 0, 0}, {4, 13, 0}, {-3, 5, 12}}};
    const Structure s = random_structure(generator, 300, cell, periodic);
    ASSERT_NO_FATAL_FAILURE(expect_equal(build_neighbour_list(s, 2.5), brute_force(s, 2.5), 1e-12));
  }
}

TEST(NeighbourList, CutoffOfThreeBoxes) {
  Generator generator(3);
  const Mat3 cell = random_cell(generator, 1.8, 2.2);
  const Structure s = random_structure(generator, 2, cell, {true, true, true});
  const NeighbourList list = build_neighbour_list(s, 6);
  expect_equal(list, brute_force(s, 6), 1e-12);
  EXPECT_GT(list.first[1], 100);
}

TEST(NeighbourList, OneAtomSeesItsImages) {
  Structure s = make_structure({{0.3, 0.4, 0.5}}, {{{2, 0, 0}, {0, 2, 0}, {0, 0, 2}}}, {true, true, true});
  const NeighbourList list = build_neighbour_list(s, 2.1);
  ASSERT_EQ(list.neighbour, std::vector<int>(6, 0));
  EXPECT_EQ(list.r, (std::vector<Vec3>{{-2, 0, 0}, {0, -2, 0}, {0, 0, -2}, {0, 0, 2}, {0, 2, 0}, {2, 0, 0}}));
  s.periodic = {false, true, false};
  EXPECT_EQ(build_neighbour_list(s, 2.1).r, (std::vector<Vec3>{{0, -2, 0}, {0, 2, 0}}));
}

TEST(NeighbourList, PairsAreAntisymmetricToTheLastBit) {
  Generator generator(4);
  const Structure s = random_structure(generator, 40, random_cell(generator, 5, 9), {true, true, true});
  const NeighbourList list = build_neighbour_list(s, 4);
  std::vector<std::array<double, 5>> forward, backward;
  for (int i = 0; i < s.size(); ++i) {
    for (auto e = list.first[i]; e < list.first[i + 1]; ++e) {
      const Vec3& r = list.r[e];
      forward.push_back({double(i), double(list.neighbour[e]), r[0], r[1], r[2]});
      backward.push_back({double(list.neighbour[e]), double(i), -r[0], -r[1], -r[2]});
    }
  }
  std::sort(forward.begin(), forward.end());
  std::sort(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
}

TEST(NeighbourList, AtomsOutsideTheCell) {
  Generator generator(5);
  for (double far : {1.0, 1e5}) {
    Structure s = random_structure(generator, 30, random_cell(generator, 5, 8), {true, true, false});
    const NeighbourList inside = build_neighbour_list(s, 3.5);
    for (Vec3& p : s.positions) {
      for (int k = 0; k < 2; ++k) p = p + std::round(uniform(generator, -far, far)) * s.cell[k];
    }
    const NeighbourList outside = build_neighbour_list(s, 3.5);
    // The images are other ones, so compare as sets of vectors.
    ASSERT_EQ(inside.first, outside.first);
    ASSERT_EQ(inside.neighbour, outside.neighbour);
    for (std::size_t e = 0; e < inside.r.size(); ++e) {
      const Vec3 d = inside.r[e] - outside.r[e];
      ASSERT_LE(std::sqrt(dot(d, d)), 1e-14 * (10 + 100 * far));
    }
  }
}

TEST(NeighbourList, AtomsFarApartCostNoMemory) {
  Structure s;
  for (int i = 0; i < 100; ++i) {
    s.numbers.push_back(1);
    s.positions.push_back({(i / 2) * 1e7 + (i % 2) * 0.9, (i / 2) * -3e6, (i / 2) * 1.7e7});
  }
  const NeighbourList list = build_neighbour_list(s, 5);
  ASSERT_EQ(list.neighbour.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(list.neighbour[i], i ^ 1);
}

TEST(NeighbourList, AnEmptyStructure) {
  EXPECT_EQ(build_neighbour_list(Structure{}, 5).first, std::vector<std::int64_t>{0});
  const Structure box = make_structure({}, {{{4, 0, 0}, {0, 4, 0}, {0, 0, 4}}}, {true, true, true});
  EXPECT_EQ(build_neighbour_list(box, 5).first, std::vector<std::int64_t>{0});
}

TEST(NeighbourList, ErrorsSayWhatIsWrong) {
  Structure s = make_structure({{0, 0, 0}, {1, 0, 0}}, {{{4, 0, 0}, {4, 4, 0}, {8, 4, 0}}}, {true, true, true});
  EXPECT_EQ(
      message_of(s),
      "The cell is singular along its periodic directions (TTT): lattice vectors (4, 0, 0), (4, 4, 0), (8, 4, 0) Å; "
      "give a cell with a volume, or declare the directions not periodic.");
  s.periodic = {true, true, false};
  EXPECT_EQ(message_of(s), "no error");
  s.cell = {};
  EXPECT_EQ(
      message_of(s),
      "The cell is singular along its periodic directions (TTF): lattice vectors (0, 0, 0), (0, 0, 0), (0, 0, 0) Å; "
      "give a cell with a volume, or declare the directions not periodic.");
  s.periodic = {};
  EXPECT_EQ(message_of(s), "no error");
  EXPECT_EQ(message_of(s, -1), "The cutoff of a neighbour list must be a positive length, found -1 Å.");
  s.positions[1] = {0, std::numeric_limits<double>::quiet_NaN(), 2};
  EXPECT_EQ(message_of(s),
            "The position of atom 2 is (0, nan, 2) Å: expected finite numbers below 1e9; look for a broken frame.");
  s.positions[1] = {0, 0, 0};
  EXPECT_EQ(message_of(s),
            "Atoms 1 and 2 are at the same place (0.0e+00 Å apart, periodic images included): remove one of them.");
  s.periodic = {false, false, true};
  s.cell[2] = {0, 0, 5};
  s.positions[1] = {0, 0, 5};
  EXPECT_EQ(message_of(s),
            "Atoms 1 and 2 are at the same place (0.0e+00 Å apart, periodic images included): remove one of them.");
  s.positions.pop_back();
  EXPECT_EQ(message_of(s), "A structure must have one position an atom: found 1 positions and 2 atomic numbers.");
}

/// The property by which the curve is Hilbert's: of the places of a cubic grid, each is followed by one beside it.
TEST(SpaceCurve, GoesFromEveryPlaceOfAGridToOneBesideIt) {
  std::vector<Vec3> grid;
  for (int k = 0; k < 512; ++k) grid.push_back({2.5 * (k % 8) - 7, 2.5 * (k / 8 % 8), 2.5 * (k / 64) + 3});
  Generator generator(3);
  std::shuffle(grid.begin(), grid.end(), generator);
  const std::vector<int> order = order_along_curve(grid);
  ASSERT_EQ(order.size(), grid.size());
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), grid.size());
  for (std::size_t k = 1; k < order.size(); ++k) {
    const Vec3 step = grid[order[k]] - grid[order[k - 1]];
    EXPECT_DOUBLE_EQ(dot(step, step), 2.5 * 2.5) << k;
  }
}

TEST(SpaceCurve, TakesWhateverPositionsThereAre) {
  using Order = std::vector<int>;
  const double none = std::nan(""), far = HUGE_VAL;
  EXPECT_EQ(order_along_curve({}), Order{});
  EXPECT_EQ(order_along_curve(std::vector<Vec3>{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}), (Order{0, 1, 2}));
  EXPECT_EQ(order_along_curve(std::vector<Vec3>{{3, 0, 0}, {1, 0, 0}, {2, 0, 0}}), (Order{1, 2, 0}));
  EXPECT_EQ(order_along_curve(std::vector<Vec3>{{none, none, none}, {5, 5, 5}}), (Order{0, 1}));
  EXPECT_EQ(order_along_curve(std::vector<Vec3>{{far, 0, 0}, {0, -far, 0}}), (Order{0, 1}));
}

TEST(Graph, StructuresFollowEachOther) {
  Generator generator(6);
  const Mat3 cell = random_cell(generator, 4, 5);
  Structure crystal = random_structure(generator, 3, cell, {true, true, true});
  Structure slab = random_structure(generator, 4, cell, {true, true, false});
  slab.charge = -1;
  slab.multiplicity = 2;
  const Structure* both[] = {&crystal, &slab};
  const Graph graph = make_graph(both, SpeciesMap({8, 1}), 3);
  EXPECT_EQ(graph.owned, 7);
  EXPECT_EQ(graph.total, 7);
  EXPECT_EQ(graph.graphs, 2);
  EXPECT_EQ(graph.species, (std::vector<int>{1, 0, 1, 1, 0, 1, 0}));
  EXPECT_EQ(graph.graph, (std::vector<int>{0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(graph.volume, (std::vector<double>{std::abs(determinant(cell)), 0}));
  EXPECT_EQ(graph.charge, (std::vector<int>{0, -1}));
  EXPECT_EQ(graph.multiplicity, (std::vector<int>{1, 2}));
  EXPECT_EQ(std::set<int>(graph.curve.begin(), graph.curve.begin() + 3), (std::set<int>{0, 1, 2}));
  EXPECT_EQ(std::set<int>(graph.curve.begin() + 3, graph.curve.end()), (std::set<int>{3, 4, 5, 6}));
  const NeighbourList second = build_neighbour_list(slab, 3);
  ASSERT_EQ(graph.first.size(), 8u);
  ASSERT_EQ(graph.first[7], graph.edges());
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(graph.first[3 + i] - graph.first[3], second.first[i]);
    for (auto e = second.first[i]; e < second.first[i + 1]; ++e) {
      EXPECT_EQ(graph.neighbour[graph.first[3] + e], second.neighbour[e] + 3);
      EXPECT_EQ(graph.r[graph.first[3] + e], second.r[e]);
    }
  }
}

std::string species_message(const std::vector<int>& elements, int z) {
  try {
    SpeciesMap map(elements);
    map(z);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Graph, SpeciesOfTheModel) {
  const SpeciesMap map({6, 1, 8});
  EXPECT_EQ(map(1), 1);
  EXPECT_EQ(map(8), 2);
  EXPECT_EQ(map.find(7), -1);
  EXPECT_EQ(map.find(0), -1);
  EXPECT_EQ(map.find(1000), -1);
  EXPECT_EQ(species_message({6, 1, 8}, 7),
            "The structure has the element N, which the model does not know: it was made for C H O.");
  EXPECT_EQ(species_message({6}, 0), "Atomic numbers go from 1 to 118, found 0.");
  EXPECT_EQ(species_message({6, 6}, 6), "The model lists the element C twice.");
}

std::string symbol_message(const char* symbol) {
  return testing::message_of([&] { atomic_number(symbol); });
}

TEST(Elements, SymbolsAndMasses) {
  for (int z = 1; z <= number_of_elements; ++z) EXPECT_EQ(atomic_number(element_symbol(z)), z);
  EXPECT_EQ(atomic_number("Fe"), 26);
  EXPECT_EQ(element_symbol(118), "Og");
  EXPECT_EQ(atomic_mass(8), 15.999);
  EXPECT_EQ(atomic_mass(92), 238.02891);
  EXPECT_EQ(symbol_message("fe"), "\"fe\" is not the symbol of an element: write \"Fe\".");
  EXPECT_EQ(symbol_message("Xx"), "\"Xx\" is not the symbol of an element; expected one of H, He, Li, ... Og.");
  EXPECT_EQ(symbol_message(""), "\"\" is not the symbol of an element; expected one of H, He, Li, ... Og.");
  EXPECT_THROW(element_symbol(119), Error);
  EXPECT_THROW(atomic_mass(0), Error);
}

}  // namespace
}  // namespace isotrope
