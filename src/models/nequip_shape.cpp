// SPDX-License-Identifier: MIT
#include "models/nequip_shape.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "models/strict_json.hpp"
#include "so3/clebsch_gordan.hpp"

namespace isotrope {
namespace {

const char* const where = "hyperparameters of architecture nequip";

std::vector<double> numbers(const StrictJson& json, const char* key, int count, const char* per) {
  const nlohmann::json& value = json.at(key);
  if (value.is_number()) return std::vector<double>(count, value.get<double>());
  const auto is_number = [](const nlohmann::json& x) { return x.is_number(); };
  require(
      value.is_array() && static_cast<int>(value.size()) == count && std::all_of(value.begin(), value.end(), is_number),
      "{}: '{}' must be a number or a list of {} numbers, one per {}, found {}", json.where(), key, count, per,
      value.dump());
  return value.get<std::vector<double>>();
}

std::vector<int> widths(const StrictJson& json, const char* key) {
  const nlohmann::json& value = json.at(key);
  const auto good = [](const nlohmann::json& width) { return width.is_number_integer() && width > 0 && width <= 4096; };
  require(value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), good),
          "{}: '{}' must be a list of at least one whole number from 1 to 4096, found {}", json.where(), key,
          value.dump());
  return value.get<std::vector<int>>();
}

bool comes_before(const Irrep& a, const Irrep& b) {
  return a.l != b.l ? a.l < b.l : a.parity > b.parity;
}

std::vector<Irreps> read_irreps(const StrictJson& json, bool parity) {
  const nlohmann::json& value = json.at("irreps");
  const auto is_string = [](const nlohmann::json& x) { return x.is_string(); };
  require(
      value.is_array() && value.size() >= 2 && value.size() <= 17 && std::all_of(value.begin(), value.end(), is_string),
      "{}: 'irreps' must be a list of 2 to 17 irreps, those of the elements and those after each layer, found {}",
      json.where(), value.dump());
  std::vector<Irreps> irreps;
  for (std::size_t t = 0; t < value.size(); ++t) {
    irreps.push_back(Irreps::parse(value[t].get<std::string>()));
    check_irreps(irreps.back(), t == 0 || t + 1 == value.size(), parity);
  }
  return irreps;
}

Envelope read_envelope(const StrictJson& json, double cutoff) {
  const StrictJson function(json.at("cutoff_function"), std::string(where) + ", cutoff_function",
                            {"kind", "power", "on"});
  const std::string kind = function.get<std::string>("kind");
  if (kind == "polynomial") return Envelope::polynomial(function.integer("power", 2, 64), cutoff);
  require(kind == "xplor", "{}: 'kind' must be polynomial or xplor, found {}", function.where(), kind);
  const double on = function.get<double>("on");
  require(on > 0 && on < cutoff, "{}: 'on' must lie between 0 and the cutoff ({} Å), found {}", function.where(),
          cutoff, on);
  return Envelope::xplor(on, cutoff);
}

std::vector<SelfConnection> read_self_connections(const StrictJson& json, int layers) {
  const nlohmann::json& value = json.at("self_connection");
  require(value.is_array() && static_cast<int>(value.size()) == layers,
          "{}: 'self_connection' must be a list of {} words, one per layer, found {}", json.where(), layers,
          value.dump());
  std::vector<SelfConnection> found;
  for (const nlohmann::json& word : value) {
    if (word == "none") {
      found.push_back(SelfConnection::none);
    } else if (word == "linear") {
      found.push_back(SelfConnection::linear);
    } else {
      require(word == "species", "{}: 'self_connection' is none, linear or species, found {}", json.where(),
              word.dump());
      found.push_back(SelfConnection::species);
    }
  }
  return found;
}

}  // namespace

void check_irreps(const Irreps& irreps, bool scalars_only, bool parity) {
  const auto& blocks = irreps.blocks();
  bool good = blocks.front().l == 0 && blocks.front().parity == 1 && irreps.l_max() <= 3;
  for (std::size_t b = 1; b < blocks.size(); ++b) good = good && comes_before(blocks[b - 1], blocks[b]);
  require(good,
          "{}: irreps '{}': expected each irrep once, l ascending from 0e to at most 3, even before odd, such as "
          "32x0e+32x1o+16x2e",
          where, irreps.text());
  require(!scalars_only || blocks.size() == 1,
          "{}: irreps '{}': the first and the last features are even scalars (0e) alone", where, irreps.text());
  const bool even = std::all_of(blocks.begin(), blocks.end(), [](const Irrep& b) { return b.parity == 1; });
  require(parity || even, "{}: irreps '{}': without parity all labels are even, such as 32x0e+32x1e", where,
          irreps.text());
}

NequipShape NequipShape::from(const nlohmann::json& hyperparameters, int species, double cutoff) {
  const StrictJson json(hyperparameters, where,
                        {"irreps", "l_max", "parity", "normalize_harmonics", "num_bessel", "bessel_prefactor",
                         "cutoff_function", "radial_mlp", "self_connection", "denominators", "train_denominators",
                         "bias", "readout_hidden", "scale", "shift", "silu_norm", "tanh_norm"});
  NequipShape s;
  s.parity = json.get<bool>("parity");
  s.irreps = read_irreps(json, s.parity);
  s.self_connection = read_self_connections(json, static_cast<int>(s.irreps.size()) - 1);
  s.harmonics = {json.integer("l_max", 0, 3), 1, !json.get<bool>("normalize_harmonics")};
  s.num_bessel = json.integer("num_bessel", 1, 64);
  s.bessel_prefactor = json.get<double>("bessel_prefactor");
  s.envelope = read_envelope(json, cutoff);
  s.radial_mlp = widths(json, "radial_mlp");
  s.denominators = numbers(json, "denominators", s.layers(), "layer");
  s.train_denominators = json.get<bool>("train_denominators");
  s.bias = json.get<bool>("bias");
  s.readout_hidden = json.integer("readout_hidden", 1, 4096);
  s.scale = numbers(json, "scale", species, "element");
  s.shift = numbers(json, "shift", species, "element");
  s.silu_norm = json.get<double>("silu_norm");
  s.tanh_norm = json.get<double>("tanh_norm");
  s.species = species;
  for (const double d : s.denominators) {
    require(d > 0, "{}: 'denominators' must be positive, found {}", json.where(), d);
  }
  for (int t = 0; t < s.layers(); ++t) {
    for (std::size_t b = 0; b < s.out(t).size(); ++b) {
      require(s.channels_to(t, static_cast<int>(b)) > 0,
              "{}: no coupling of layer {} ends in {} (of '{}'): leave it out", json.where(), t,
              irrep_name(s.out(t)[b]), s.irreps[t + 1].text());
    }
  }
  return s;
}

int NequipShape::gates(int layer) const {
  int count = 0;
  for (const Irrep& block : out(layer)) count += block.l > 0 ? block.mul : 0;
  return count;
}

std::vector<NequipShape::Path> NequipShape::paths(int layer) const {
  std::vector<Path> found;
  const auto &from = in(layer), &to = out(layer);
  for (int o = 0; o < static_cast<int>(to.size()); ++o) {
    for (int i = 0; i < static_cast<int>(from.size()); ++i) {
      const int l1 = from[i].l, l3 = to[o].l;
      for (int l2 = std::abs(l1 - l3); l2 <= std::min(l_max(), l1 + l3); ++l2) {
        const int parity_of_y = parity && l2 % 2 != 0 ? -1 : 1;
        if (from[i].parity * parity_of_y == to[o].parity) found.push_back({i, l2, o});
      }
    }
  }
  return found;
}

int NequipShape::channels_to(int layer, int block) const {
  int channels = 0;
  for (const Path& path : paths(layer)) channels += path.out == block ? in(layer)[path.in].mul : 0;
  return channels;
}

std::string irrep_name(const Irrep& block) {
  return fmt::format("{}{}", block.l, block.parity > 0 ? 'e' : 'o');
}

int find_irrep(const std::vector<Irrep>& blocks, const Irrep& wanted) {
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (blocks[b].l == wanted.l && blocks[b].parity == wanted.parity) return static_cast<int>(b);
  }
  return -1;
}

std::string coupling_name(int l1, int l2, int l3) {
  return fmt::format("wigner_3j.{}.{}.{}", l1, l2, l3);
}

namespace {

void declare_radial(const NequipShape& s, int t, Parameters& p) {
  int in = s.num_bessel, k = 0, weights = 0;
  for (const NequipShape::Path& path : s.paths(t)) weights += s.in(t)[path.in].mul;
  for (const int width : s.radial_mlp) {
    p.add(fmt::format("layer.{}.radial.{}.weight", t, k++), {in, width});
    in = width;
  }
  p.add(fmt::format("layer.{}.radial.{}.weight", t, k), {in, weights});
}

void declare_layer(const NequipShape& s, int t, Parameters& p) {
  const std::string name = fmt::format("layer.{}", t);
  for (const Irrep& b : s.in(t)) p.add(fmt::format("{}.linear_1.{}.weight", name, irrep_name(b)), {b.mul, b.mul});
  if (s.bias) p.add(name + ".linear_1.bias", {s.in(t)[0].mul});
  declare_radial(s, t, p);
  for (int b = 0; b < static_cast<int>(s.out(t).size()); ++b) {
    p.add(fmt::format("{}.linear_2.{}.weight", name, irrep_name(s.out(t)[b])),
          {s.channels_to(t, b), s.gate_width(t, b)});
  }
  if (s.bias) p.add(name + ".linear_2.bias", {s.gate_width(t, 0)});
  for (const Irrep& in : s.in(t)) {
    const int b = find_irrep(s.out(t), in);
    if (b < 0 || s.self_connection[t] == SelfConnection::none) continue;
    const std::string self = fmt::format("{}.self.{}.weight", name, irrep_name(in));
    if (s.self_connection[t] == SelfConnection::linear) {
      p.add(self, {in.mul, s.gate_width(t, b)});
    } else {
      p.add(self, {in.mul, s.species, s.gate_width(t, b)});
    }
  }
  if (s.train_denominators) p.add(name + ".denominator", {1});
}

}  // namespace

Parameters declare_parameters(const NequipShape& s) {
  Parameters p;
  p.add("embedding.weight", {s.species, s.in(0)[0].mul});
  for (int t = 0; t < s.layers(); ++t) declare_layer(s, t, p);
  p.add("readout.linear_1.weight", {s.irreps.back().blocks()[0].mul, s.readout_hidden});
  p.add("readout.linear_2.weight", {s.readout_hidden});
  p.add("bessel.frequencies", {s.num_bessel});
  return p;
}

namespace {

double sign_of(const ModelRecord& record, int l1, int l2, int l3) {
  const std::string name = coupling_name(l1, l2, l3);
  const auto found = record.tables.find(name);
  require(found != record.tables.end(), "model: expected the table {}, found none: the file is incomplete", name);
  const std::vector<double>&theirs = found->second.values, &ours = wigner_3j(l1, l2, l3);
  require(theirs.size() == ours.size(), "model: table {} has {} numbers, expected {}", name, theirs.size(),
          ours.size());
  double product = 0;
  for (std::size_t k = 0; k < ours.size(); ++k) product += ours[k] * theirs[k];
  const double sign = product < 0 ? -1 : 1;
  for (std::size_t k = 0; k < ours.size(); ++k) {
    require(std::abs(sign * ours[k] - theirs[k]) <= 1e-6,
            "model: number {} of table {} is {:.10g}, neither that of the Wigner 3j symbol, {:.10g}, nor its negative",
            k, name, theirs[k], ours[k]);
  }
  return sign;
}

}  // namespace

std::vector<std::vector<double>> coupling_signs(const ModelRecord& record, const NequipShape& s) {
  std::vector<std::vector<double>> signs(s.layers());
  for (int t = 0; t < s.layers(); ++t) {
    for (const NequipShape::Path& path : s.paths(t)) {
      signs[t].push_back(sign_of(record, s.in(t)[path.in].l, path.l2, s.out(t)[path.out].l));
    }
  }
  return signs;
}

}  // namespace isotrope
