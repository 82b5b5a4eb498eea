// SPDX-License-Identifier: MIT
#include "models/transip_shape.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "models/strict_json.hpp"

namespace isotrope {
namespace {

std::vector<int> ascending(const StrictJson& json, const char* key) {
  const auto values = json.get<std::vector<int>>(key);
  require(!values.empty() && std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end(),
          "{}: '{}' must be a list of whole numbers in ascending order, found {}", json.where(), key,
          json.at(key).dump());
  return values;
}

Forces forces_named(const StrictJson& json) {
  const auto word = json.get<std::string>("forces");
  require(word == "gradient" || word == "direct", "{}: 'forces' must be 'gradient' or 'direct', found '{}'",
          json.where(), word);
  return word == "direct" ? Forces::direct : Forces::gradient;
}

std::optional<FrameGroup> frames_named(const StrictJson& json) {
  const auto word = json.get<std::string>("frames");
  require(word == "none" || word == "so3" || word == "o3", "{}: 'frames' must be 'none', 'so3' or 'o3', found '{}'",
          json.where(), word);
  if (word == "none") return std::nullopt;
  return word == "o3" ? FrameGroup::o3 : FrameGroup::so3;
}

/// What depends on whether the model sees the whole molecule: frames, or a cutoff.
void read_reach(const StrictJson& json, double cutoff, TransipShape& s) {
  s.cutoff = cutoff;
  if (cutoff > 0) {
    s.logit_bound = json.get<double>("logit_bound");
    require(s.logit_bound > 0, "{}: 'logit_bound' must be above 0, found {}", json.where(), s.logit_bound);
    return;
  }
  s.frames = frames_named(json);
  s.frame_gap = json.get<double>("frame_gap");
  require(s.frame_gap > 0 && s.frame_gap < 1, "{}: 'frame_gap' must be between 0 and 1, found {}", json.where(),
          s.frame_gap);
  require(!s.frames || s.latent_hidden == 0,
          "{}: a model that is averaged over frames is invariant and learns no latent equivariance: set "
          "'latent_hidden' to 0, or 'frames' to none",
          json.where());
}

std::vector<std::string> known_keys(double cutoff) {
  std::vector<std::string> known{"width",          "layers", "heads",         "hidden",           "charges",
                                 "multiplicities", "forces", "latent_hidden", "latent_per_layer", "scale"};
  if (cutoff > 0) {
    known.push_back("logit_bound");
  } else {
    known.insert(known.end(), {"frames", "frame_gap"});
  }
  return known;
}

}  // namespace

TransipShape TransipShape::from(const nlohmann::json& hyperparameters, int species, double cutoff) {
  const StrictJson json(hyperparameters, "hyperparameters of architecture transip", known_keys(cutoff));
  TransipShape s;
  s.width = json.integer("width", 6, 4096);
  s.layers = json.integer("layers", 1, 64);
  s.heads.heads = json.integer("heads", 1, 64);
  require(s.width % (6 * s.heads.heads) == 0,
          "{}: 'width' must be 'heads' times a multiple of 6 (three directions, pairs of channels), found {} for {} "
          "heads",
          json.where(), s.width, s.heads.heads);
  s.heads.size = s.width / s.heads.heads;
  s.frequencies = s.heads.size / 6;
  s.hidden = json.integer("hidden", 1, 16384);
  s.charges = ascending(json, "charges");
  s.multiplicities = ascending(json, "multiplicities");
  s.forces = forces_named(json);
  s.latent_hidden = json.integer("latent_hidden", 0, 16384);
  s.latent_per_layer = json.get<bool>("latent_per_layer", false);
  require(
      s.latent_hidden > 0 || !s.latent_per_layer,
      "{}: 'latent_per_layer' asks for networks for the latent loss: set 'latent_hidden', the width of their hidden "
      "layer",
      json.where());
  s.scale = json.get<double>("scale");
  read_reach(json, cutoff, s);
  s.species = species;
  return s;
}

Parameters declare_parameters(const TransipShape& s) {
  Parameters p;
  const int d = s.width, n_charges = static_cast<int>(s.charges.size()),
            n_multiplicities = static_cast<int>(s.multiplicities.size());
  p.add("embedding.element", {s.species, d});
  p.add("embedding.charge", {n_charges, d});
  p.add("embedding.multiplicity", {n_multiplicities, d});
  for (int t = 0; t < s.layers; ++t) {
    const std::string layer = fmt::format("layer.{}.", t);
    p.add(layer + "attention.norm", {d});
    for (const char* name : {"query", "key", "value", "output"}) p.add(layer + "attention." + name, {d, d});
    p.add(layer + "network.norm", {d});
    p.add(layer + "network.0", {d, s.hidden});
    p.add(layer + "network.1", {s.hidden, d});
  }
  p.add("norm", {d});
  p.add("energy.0", {d, d});
  p.add("energy.1", {d, 1});
  if (s.forces == Forces::direct) {
    p.add("force.0", {d, d});
    p.add("force.1", {d, 3});
  }
  for (int t = 0; t < s.latent_layers() && s.latent_hidden > 0; ++t) {
    const std::string latent = s.latent_per_layer ? fmt::format("layer.{}.latent.", t) : "latent.";
    p.add(latent + "0", {d + 9, s.latent_hidden});
    p.add(latent + "0.bias", {s.latent_hidden});
    p.add(latent + "1", {s.latent_hidden, d});
    p.add(latent + "1.bias", {d});
  }
  return p;
}

}  // namespace isotrope
