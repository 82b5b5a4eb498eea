// SPDX-License-Identifier: MIT
#include "models/mace_shape.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "models/json_values.hpp"

namespace isotrope {
namespace {

/// Whether an option is its second value; absent it is the first.
bool choice(const StrictJson& json, const char* key, const std::string& first, const std::string& second) {
  const auto value = json.get<std::string>(key, first);
  require(value == first || value == second, "{}: '{}' must be {} or {}, found '{}'", json.where(), key, first, second,
          value);
  return value == second;
}

}  // namespace

MaceShape MaceShape::from(const nlohmann::json& hyperparameters, int species, double cutoff) {
  const StrictJson json(
      hyperparameters, "hyperparameters of architecture mace",
      {"hidden_irreps",   "l_max",          "layers",         "correlation",        "num_bessel", "cutoff_power",
       "radial_mlp",      "readout_mlp",    "first_residual", "average_neighbours", "scale",      "shift",
       "activation_norm", "pair_energy",    "product",        "distance_transform", "envelope",   "density_normalised",
       "pair_repulsion",  "repulsion_power"});
  MaceShape s;
  const Irreps hidden = Irreps::parse(json.get<std::string>("hidden_irreps"));
  s.channels = hidden.blocks().front().mul;
  s.L_max = hidden.l_max();
  bool regular = hidden.natural_parity() && static_cast<int>(hidden.blocks().size()) == s.L_max + 1;
  for (int l = 0; regular && l <= s.L_max; ++l)
    regular = hidden.blocks()[l].l == l && hidden.blocks()[l].mul == s.channels;
  require(
      regular && s.L_max <= 2,
      "hidden_irreps '{}': MACE needs the same number of channels for each l = 0 ... L, L at most 2, natural parity, "
      "such as 64x0e+64x1o",
      hidden.text());
  s.l_max = json.integer("l_max", std::max(1, s.L_max), 3);
  s.layers = json.integer("layers", 1, 16);
  s.correlation = json.integer("correlation", 1, 3);
  s.num_bessel = json.integer("num_bessel", 1, 64);
  s.cutoff_power = json.integer("cutoff_power", 2, 64);
  s.radial_mlp = layer_widths(json, "radial_mlp");
  s.readout_mlp = json.integer("readout_mlp", 1, 4096);
  s.first_residual = json.get<bool>("first_residual");
  s.average_neighbours = json.get<double>("average_neighbours");
  s.scale = per_species(json, "scale", species);
  s.shift = per_species(json, "shift", species);
  s.activation_norm = json.get<double>("activation_norm");
  s.pair_energy = json.get<bool>("pair_energy");
  s.gaunt = choice(json, "product", "clebsch-gordan", "gaunt");
  s.agnesi = choice(json, "distance_transform", "none", "agnesi");
  s.enveloped = !choice(json, "envelope", "basis", "weights");
  s.density_normalised = json.get<bool>("density_normalised", false);
  s.zbl = choice(json, "pair_repulsion", "none", "zbl");
  if (s.zbl) s.zbl_power = json.integer("repulsion_power", 2, 64);
  s.species = species;
  s.cutoff = cutoff;
  require(s.average_neighbours > 0, "{}: 'average_neighbours' must be positive, found {}", json.where(),
          s.average_neighbours);
  return s;
}

BesselBasis mace_basis(const MaceShape& s, const double* frequencies) {
  auto basis = BesselBasis::orthonormal(s.num_bessel, Envelope::polynomial(s.cutoff_power, s.cutoff), frequencies);
  basis.enveloped = s.enveloped;
  return basis;
}

int count_paths(int L1, int l_max, int l3) {
  int paths = 0;
  for (int l1 = 0; l1 <= L1; ++l1) {
    for (int l2 = std::abs(l1 - l3); l2 <= std::min(l_max, l1 + l3); ++l2) paths += (l1 + l2 + l3) % 2 == 0;
  }
  return paths;
}

namespace {

void declare_interaction(const MaceShape& s, int t, Parameters& p) {
  const int C = s.channels;
  const std::string name = fmt::format("interaction.{}", t);
  for (int l = 0; l <= s.in_L(t); ++l) p.add(fmt::format("{}.linear_up.{}.weight", name, l), {C, C});
  int all_paths = 0, in = s.num_bessel, k = 0;
  for (int l3 = 0; l3 <= s.l_max; ++l3) all_paths += count_paths(s.in_L(t), s.l_max, l3);
  for (const int width : s.radial_mlp) {
    p.add(fmt::format("{}.radial.{}.weight", name, k++), {in, width});
    in = width;
  }
  p.add(fmt::format("{}.radial.{}.weight", name, k), {in, all_paths * C});
  if (s.density_normalised) p.add(fmt::format("{}.density.weight", name), {s.num_bessel});
  for (int l3 = 0; l3 <= s.l_max; ++l3) {
    p.add(fmt::format("{}.linear.{}.weight", name, l3), {count_paths(s.in_L(t), s.l_max, l3) * C, C});
  }
  for (int l = 0; l <= s.skip_L(t); ++l) p.add(fmt::format("{}.skip.{}.weight", name, l), {C, s.species, C});
}

}  // namespace

Parameters declare_parameters(const MaceShape& s, const std::vector<CouplingTable>& tables) {
  Parameters p;
  const int C = s.channels;
  p.add("embedding.weight", {s.species, C});
  for (int t = 0; t < s.layers; ++t) {
    declare_interaction(s, t, p);
    for (const CouplingTable& table : tables) {
      if (table.L <= s.out_L(t)) {
        p.add(fmt::format("product.{}.{}.{}.weight", t, table.L, table.nu), {s.species, table.paths, C});
      }
    }
    for (int L = 0; L <= s.out_L(t); ++L) p.add(fmt::format("product.{}.linear.{}.weight", t, L), {C, C});
  }
  for (int t = 0; t + 1 < s.layers; ++t) p.add(fmt::format("readout.{}.weight", t), {C});
  p.add(fmt::format("readout.{}.linear_1.weight", s.layers - 1), {C, s.readout_mlp});
  p.add(fmt::format("readout.{}.linear_2.weight", s.layers - 1), {s.readout_mlp});
  if (s.pair_energy) p.add("pair.weight", {s.species, s.species, s.num_bessel});
  return p;
}

std::vector<CouplingTable> coupling_tables(const ModelRecord& record, const MaceShape& s) {
  std::vector<CouplingTable> tables;
  for (int L = 0; L <= s.L_max; ++L) {
    // A one-layer model has no output but scalars.
    if (L > 0 && s.layers == 1) break;
    for (int nu = s.correlation; nu >= 1; --nu) {
      const std::string name = fmt::format("coupling.{}.{}", L, nu);
      const auto indices = record.tables.find(name + ".indices"), values = record.tables.find(name + ".values");
      require(indices != record.tables.end() && values != record.tables.end(),
              "model: expected the tables {}.indices and {}.values, found none: the file is incomplete", name, name);
      CouplingTable& table = tables.emplace_back();
      table.L = L;
      table.nu = nu;
      table.indices.assign(indices->second.values.begin(), indices->second.values.end());
      table.values = values->second.values;
      require(table.indices.size() == table.values.size() * (nu + 2),
              "model: {}.indices has {} numbers, expected {} x {}", name, table.indices.size(), table.values.size(),
              nu + 2);
      for (std::size_t n = 0; n < table.values.size(); ++n) {
        table.paths = std::max(table.paths, table.indices[n * (nu + 2) + nu + 1] + 1);
      }
    }
  }
  return tables;
}

}  // namespace isotrope
