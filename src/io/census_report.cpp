// SPDX-License-Identifier: MIT
#include "io/census_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>

#include "core/atomic_file.hpp"
#include "core/elements.hpp"
#include "core/error.hpp"
#include "core/progress.hpp"
#include "geometry/spacing.hpp"
#include "io/composition_fit.hpp"
#include "io/histogram.hpp"
#include "io/shards.hpp"

namespace isotrope {

namespace {

constexpr int most_bins = 60;
constexpr double tail = 0.001;  ///< of the values lie in the outermost bins at either end
constexpr std::size_t fine_bins = 4096;
// Of the logarithm of |F|.
constexpr int bins_per_decade = 10, lowest_decade = -12, highest_decade = 9;
constexpr double reach = 6;  ///< Å, for the closest pair

void for_all(const std::vector<std::string>& files, const char* what,
             const std::function<void(const Structure&)>& action) {
  constexpr std::int64_t block = 1024;
  Progress progress(what);
  for (std::size_t file = 0; file < files.size(); ++file) {
    const Dataset dataset = Dataset::open(files[file]);
    for (std::int64_t begin = 0; begin < dataset.size(); begin += block) {
      for (const Structure& s : dataset.read_range(begin, std::min(block, dataset.size() - begin))) action(s);
      const double part = static_cast<double>(begin) / static_cast<double>(dataset.size());
      if (progress.due())
        progress.update((static_cast<double>(file) + part) / static_cast<double>(files.size()), files[file]);
    }
  }
}

/// The lowest energy of an isolated atom of each element.
class IsolatedAtoms {
 public:
  void add(const Structure& s) {
    if (!is_isolated_atom(s) || !s.energy) return;
    const auto [place, is_new] = energies_.try_emplace(s.numbers[0], *s.energy);
    if (!is_new) place->second = std::min(place->second, *s.energy);
  }
  const std::map<int, double>& energies() const { return energies_; }

 private:
  std::map<int, double> energies_;
};

/// What one pass over the data gives.
struct Counts {
  Histogram sizes{1, fine_bins}, distances{0.01, fine_bins};
  std::array<std::int64_t, number_of_elements + 1> atoms{}, structures{};
  std::array<std::int64_t, bins_per_decade*(highest_decade - lowest_decade)> forces{};
  std::int64_t no_force = 0;
  IsolatedAtoms isolated;
  CompositionFit fit;

  void add(const Structure& s) {
    sizes.add(s.size());
    std::array<std::int64_t, number_of_elements + 1> here{};
    for (int number : s.numbers) ++here[number];
    for (int number = 1; number <= number_of_elements; ++number) {
      atoms[number] += here[number];
      structures[number] += here[number] > 0;
    }
    for (const Vec3& force : s.forces) add_force(std::sqrt(dot(force, force)));
    isolated.add(s);
    if (is_isolated_atom(s)) return;
    fit.add(s);
    if (const double closest = spacing_of(s, reach).closest; std::isfinite(closest)) distances.add(closest);
  }

 private:
  void add_force(double norm) {
    if (norm == 0) {
      ++no_force;
      return;
    }
    const double place = std::floor(bins_per_decade * (std::log10(norm) - lowest_decade));
    ++forces[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(forces.size() - 1)))];
  }
};

struct EnergyReference {
  std::string name;
  std::map<int, double> energies;  ///< eV
};

EnergyReference energy_reference(Counts& counts, const std::optional<std::string>& isolated_atoms) {
  const auto missing = [&](const std::map<int, double>& energies) {
    for (int number = 1; number <= number_of_elements; ++number)
      if (counts.atoms[number] > 0 && !energies.contains(number)) return number;
    return 0;
  };
  if (isolated_atoms) {
    IsolatedAtoms atoms;
    for_all(shard_files(*isolated_atoms), "isolated atoms", [&](const Structure& s) { atoms.add(s); });
    const int number = missing(atoms.energies());
    require(number == 0, "{}: expected an isolated atom of each element with its energy, found none of {}",
            *isolated_atoms, number == 0 ? "" : element_symbol(number));
    return {"isolated atoms of " + *isolated_atoms, atoms.energies()};
  }
  if (missing(counts.isolated.energies()) == 0) return {"isolated atoms of the data", counts.isolated.energies()};
  std::vector<int> elements;
  for (int number = 1; number <= number_of_elements; ++number)
    if (counts.atoms[number] > 0) elements.push_back(number);
  EnergyReference fit{"fit of the composition", {}};
  std::vector<double> energies(elements.size(), 0.0);
  if (counts.fit.structures() > 0) energies = counts.fit.solve(elements).energies;
  for (std::size_t k = 0; k < elements.size(); ++k) fit.energies[elements[k]] = energies[k];
  return fit;
}

Histogram relative_energies(const std::vector<std::string>& files, const EnergyReference& reference) {
  Histogram energies(1e-6, fine_bins);
  for_all(files, "energies", [&](const Structure& s) {
    if (!s.energy || is_isolated_atom(s)) return;
    double relative = *s.energy;
    for (int number : s.numbers) relative -= reference.energies.at(number);
    energies.add(relative / s.size());
  });
  return energies;
}

std::string table(const char* header, const std::vector<Histogram::Bin>& bins) {
  std::string text = std::string(header) + "\n";
  for (const Histogram::Bin& bin : bins) text += fmt::format("{:.9g},{:.9g},{}\n", bin.from, bin.to, bin.count);
  return text;
}

std::string elements_table(const Counts& counts) {
  std::string text = "element,atomic_number,atoms,structures\n";
  for (int number = 1; number <= number_of_elements; ++number) {
    if (counts.atoms[number] > 0)
      text +=
          fmt::format("{},{},{},{}\n", element_symbol(number), number, counts.atoms[number], counts.structures[number]);
  }
  return text;
}

/// Bins of a tenth of a decade, from the first that is not empty to the last.
std::string forces_table(const Counts& counts) {
  std::string text = "from_ev_per_angstrom,to_ev_per_angstrom,atoms\n";
  const auto& bins = counts.forces;
  const auto filled = [](std::int64_t count) { return count > 0; };
  const auto begin = std::find_if(bins.begin(), bins.end(), filled) - bins.begin();
  const auto end = bins.rend() - std::find_if(bins.rbegin(), bins.rend(), filled);
  const auto edge = [](std::ptrdiff_t k) {
    return std::pow(10, lowest_decade + static_cast<double>(k) / bins_per_decade);
  };
  for (std::ptrdiff_t k = begin; k < end; ++k) text += fmt::format("{:.6g},{:.6g},{}\n", edge(k), edge(k + 1), bins[k]);
  return text;
}

std::string charges_table(const nlohmann::json& census) {
  std::string text = "charge,multiplicity,structures\n";
  for (const nlohmann::json& entry : census.at("charge_and_multiplicity")) {
    const nlohmann::json& multiplicity = entry.at("multiplicity");
    text += fmt::format("{},{},{}\n", entry.at("charge").dump(), multiplicity.is_null() ? "" : multiplicity.dump(),
                        entry.at("structures").dump());
  }
  return text;
}

}  // namespace

void write_census_report(const std::vector<std::string>& files, const DatasetSummary& summary,
                         const std::optional<std::string>& isolated_atoms, const std::string& folder) {
  make_folder(folder);
  Counts counts;
  for_all(files, "report", [&](const Structure& s) { counts.add(s); });
  const EnergyReference reference = energy_reference(counts, isolated_atoms);
  const Histogram energies = relative_energies(files, reference);

  nlohmann::json text = {{"census", summary.census}, {"provenance", summary.provenance}};
  text["content_hash"] = summary.content_hash;
  text["energy_reference"] = reference.name;
  for (const auto& [number, energy] : reference.energies)
    text["reference_energies_ev"][element_symbol(number)] = energy;
  text["atoms_without_force"] = counts.no_force;
  const auto write = [&](const char* name, const std::string& text) { write_text_file(folder + "/" + name, text); };
  write("sizes.csv", table("from_atoms,to_atoms,structures", counts.sizes.bins(most_bins, tail)));
  write("elements.csv", elements_table(counts));
  write("energies.csv", table("from_ev_per_atom,to_ev_per_atom,structures", energies.bins(most_bins, tail)));
  write("forces.csv", forces_table(counts));
  write("distances.csv", table("from_angstrom,to_angstrom,structures", counts.distances.bins(most_bins, tail)));
  write("charges.csv", charges_table(summary.census));
  write("summary.json", text.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace isotrope
