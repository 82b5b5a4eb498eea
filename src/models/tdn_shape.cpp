// SPDX-License-Identifier: MIT
#include "models/tdn_shape.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "layers/edge_product.hpp"
#include "models/json_values.hpp"
#include "models/strict_json.hpp"

namespace isotrope {
namespace {

/// One of the words; throws naming them.
std::string choice(const StrictJson& json, const char* key, const std::vector<std::string>& words) {
  const auto word = json.get<std::string>(key);
  require(std::find(words.begin(), words.end(), word) != words.end(), "{}: '{}' must be one of {}, found '{}'",
          json.where(), key, fmt::join(words, ", "), word);
  return word;
}

void read_envelope(const StrictJson& json, TdnShape& s) {
  s.cutoff_power = json.integer("cutoff_power", 0, 64);
  require(s.cutoff_power != 1, "{}: 'cutoff_power' must be 2 or more, or 0 for no envelope, found 1", json.where());
  s.logit_bound = json.get<double>("logit_bound");
  require(s.logit_bound >= 0 && s.logit_bound <= 50, "{}: 'logit_bound' must be between 0 (none) and 50, found {}",
          json.where(), s.logit_bound);
}

}  // namespace

TdnShape TdnShape::from(const nlohmann::json& hyperparameters, int species, double cutoff) {
  const StrictJson json(
      hyperparameters, "hyperparameters of architecture tdn",
      {"channels", "l_max", "layers", "heads", "num_gaussians", "radial_mlp", "coupling", "parity", "cutoff_power",
       "logit_bound", "isolated_zero", "average_neighbours", "scale", "force_scale", "forces"});
  TdnShape s;
  s.channels = json.integer("channels", 1, 4096);
  s.l_max = json.integer("l_max", 1, 3);
  s.layers = json.integer("layers", 1, 64);
  s.heads = json.integer("heads", 1, 16);
  require(s.channels % s.heads == 0, "{}: 'channels' ({}) must be a multiple of 'heads' ({})", json.where(), s.channels,
          s.heads);
  s.num_gaussians = json.integer("num_gaussians", 1, 4096);
  s.radial_mlp = layer_widths(json, "radial_mlp");
  s.cp_coupling = choice(json, "coupling", {"exact", "cp"}) == "cp";
  s.natural_parity = json.get<bool>("parity");
  require(!s.cp_coupling || !s.natural_parity,
          "{}: 'coupling' cp has no parity: its factors mix all paths; set 'parity' to false", json.where());
  read_envelope(json, s);
  s.isolated_zero = json.get<bool>("isolated_zero");
  s.average_neighbours = json.get<double>("average_neighbours");
  require(s.average_neighbours > 0, "{}: 'average_neighbours' must be positive, found {}", json.where(),
          s.average_neighbours);
  s.scale = per_species(json, "scale", species);
  s.force_scale = per_species(json, "force_scale", species);
  const std::string forces = choice(json, "forces", {"gradient", "direct", "both"});
  s.gradient_forces = forces != "direct";
  s.direct_forces = forces != "gradient";
  s.species = species;
  s.cutoff = cutoff;
  return s;
}

namespace {

void declare_radial(const TdnShape& s, const std::string& name, Parameters& p) {
  int in = s.num_gaussians, k = 0;
  for (const int width : s.radial_mlp) {
    const std::string layer = fmt::format("{}.{}", name, k++);
    p.add(layer + ".weight", {in, width});
    p.add(layer + ".bias", {width});
    p.add(layer + ".norm.gain", {width});
    p.add(layer + ".norm.bias", {width});
    in = width;
  }
  p.add(fmt::format("{}.{}.weight", name, k), {in, s.channels});
  p.add(name + ".offset", {s.channels});
}

void declare_linear(const std::string& name, int in, int out, Parameters& p) {
  p.add(name + ".weight", {in, out});
  p.add(name + ".bias", {out});
}

void declare_norm(const TdnShape& s, const std::string& name, Parameters& p) {
  p.add(name + ".gain", {s.l_max + 1, s.channels});
  p.add(name + ".bias", {s.channels});
}

void declare_attention(const TdnShape& s, const std::string& name, Parameters& p) {
  const int C = s.channels;
  declare_linear(name + ".source", C, C, p);
  p.add(name + ".target.weight", {C, C});
  declare_radial(s, name + ".radial", p);
  declare_linear(name + ".score", C, C, p);
  p.add(name + ".score.vector", {C});
  if (s.smooth()) p.add(name + ".self_logit", {s.heads});
  declare_linear(name + ".value", C, 2 * C, p);
  declare_linear(name + ".project", C, C, p);
}

}  // namespace

Parameters declare_parameters(const TdnShape& s) {
  Parameters p;
  const int C = s.channels;
  declare_linear("embedding", s.species, C, p);
  p.add("gaussians.mean", {s.num_gaussians});
  p.add("gaussians.std", {s.num_gaussians});
  p.add("gaussians.scale", {1});
  p.add("gaussians.shift", {1});
  declare_linear("degree.expand", C, C, p);
  declare_radial(s, "degree.radial", p);
  declare_linear("degree.project", C, C, p);
  for (int t = 0; t < s.layers; ++t) {
    const std::string block = fmt::format("block.{}", t);
    declare_norm(s, block + ".norm_1", p);
    declare_attention(s, block + ".attention", p);
    declare_norm(s, block + ".norm_2", p);
    declare_linear(block + ".feed_1", C, 2 * C, p);
    declare_linear(block + ".feed_2", C, C, p);
  }
  declare_norm(s, "norm", p);
  declare_linear("energy_1", C, C, p);
  declare_linear("energy_2", C, 1, p);
  if (s.direct_forces) {
    declare_attention(s, "force.attention", p);
    p.add("force.weight", {C});
  }
  return p;
}

std::vector<double> coupling_tensor(const ModelRecord& record, const TdnShape& s) {
  if (!s.cp_coupling) return all_path_tensor(s.l_max, s.natural_parity);
  const int d = s.components();
  std::vector<double> factors[3];
  for (int n = 0; n < 3; ++n) {
    const std::string name = fmt::format("cp.{}", "abc"[n]);
    const auto table = record.tables.find(name);
    require(table != record.tables.end() && table->second.shape.size() == 2 && table->second.shape[0] == d &&
                table->second.shape == record.tables.at("cp.a").shape,
            "model: expected the tables cp.a, cp.b and cp.c of shape [{}, rank], found no {} of that shape", d, name);
    factors[n] = table->second.values;
  }
  return cp_tensor(d, factors[0], factors[1], factors[2]);
}

}  // namespace isotrope
