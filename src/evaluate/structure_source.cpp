// SPDX-License-Identifier: MIT
#include "evaluate/structure_source.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/elements.hpp"
#include "core/error.hpp"
#include "io/reader.hpp"

namespace isotrope {

void check_elements(const Structure& structure, const SpeciesMap& species, const std::string& where,
                    std::int64_t index) {
  for (const int number : structure.numbers) {
    if (species.find(number) >= 0) continue;
    std::vector<std::string> known;
    for (const int element : species.elements()) known.push_back(element_symbol(element));
    fail("{}: structure {} has the element {}, which the model does not know: it was made for {}", where, index,
         element_symbol(number), fmt::join(known, ", "));
  }
}

namespace {

void check_known(const std::vector<int>& known, const std::optional<int>& value, const char* what,
                 const std::string& where, std::int64_t index) {
  if (known.empty()) return;
  require(value.has_value(),
          "{}: structure {} has no {}, which the model reads: `isotrope convert --charge Q --multiplicity M` gives "
          "structures what they lack",
          where, index, what);
  require(std::find(known.begin(), known.end(), *value) != known.end(),
          "{}: structure {} has the {} {}, which the model does not know: it was made for {}", where, index, what,
          *value, fmt::join(known, ", "));
}

}  // namespace

void check_fits_model(const Structure& structure, const PotentialInfo& info, const std::string& where,
                      std::int64_t index) {
  check_known(info.charges, structure.charge, "charge", where, index);
  check_known(info.multiplicities, structure.multiplicity, "multiplicity", where, index);
  const auto& p = structure.periodic;
  require(info.cutoff > 0 || !(p[0] || p[1] || p[2]),
          "{}: structure {} is periodic: the model ({}) sees whole molecules alone; its local variant, with a cutoff, "
          "takes periodic structures",
          where, index, info.architecture);
}

/// Keeps every stride-th; when twice too many are held, every other one goes and the stride doubles.
std::vector<IndexedStructure> sample_structures(const std::string& path, int count,
                                                const std::function<bool(const Structure&)>& wanted) {
  const auto reader = open_reader(path, "", {});
  std::vector<IndexedStructure> kept;
  std::int64_t stride = 1, accepted = 0, index = 0;
  for (Structure s; reader->next(s); s = {}, ++index) {
    if (!wanted(s) || accepted++ % stride != 0) continue;
    kept.push_back({index, std::move(s)});
    if (static_cast<int>(kept.size()) < 2 * count) continue;
    for (int k = 1; k < count; ++k) kept[k] = std::move(kept[2 * k]);
    kept.resize(count);
    stride *= 2;
  }
  const auto held = static_cast<std::int64_t>(kept.size());
  std::vector<IndexedStructure> chosen;
  for (std::int64_t k = 0; k < std::min<std::int64_t>(count, held); ++k)
    chosen.push_back(std::move(kept[k * held / std::min<std::int64_t>(count, held)]));
  return chosen;
}

std::vector<Structure> first_structures(const std::string& path, std::int64_t atoms) {
  const auto reader = open_reader(path, "", {});
  std::vector<Structure> structures;
  std::int64_t held = 0;
  for (Structure s; held < atoms && reader->next(s); s = {}) {
    held += s.size();
    structures.push_back(std::move(s));
  }
  return structures;
}

}  // namespace isotrope
