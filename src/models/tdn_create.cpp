// SPDX-License-Identifier: MIT
#include <cmath>

#include "core/random.hpp"
#include "layers/edge_product.hpp"
#include "models/strict_json.hpp"
#include "models/tdn.hpp"
#include "models/tdn_shape.hpp"
#include "so3/cp_product.hpp"

namespace isotrope {
namespace {

/// As the user wrote them, so that TdnShape checks them.
nlohmann::json hyperparameters(const StrictJson& config, const DataStatistics& statistics) {
  const auto value = [&](const char* key, const nlohmann::json& otherwise) {
    return config.contains(key) ? config.at(key) : otherwise;
  };
  return {{"channels", value("channels", 128)},
          {"l_max", value("l_max", 1)},
          {"layers", value("layers", 4)},
          {"heads", value("heads", 4)},
          {"num_gaussians", value("num_gaussians", 128)},
          {"radial_mlp", value("radial_mlp", std::vector<int>{64, 64})},
          {"coupling", value("coupling", "exact")},
          {"parity", value("parity", true)},
          {"cutoff_power", value("cutoff_power", 5)},
          {"logit_bound", value("logit_bound", 5.0)},
          {"isolated_zero", value("isolated_zero", true)},
          {"average_neighbours", statistics.average_neighbours},
          {"scale", value("scale", statistics.force_rms)},
          {"force_scale", value("force_scale", statistics.force_rms)},
          {"forces", value("forces", "gradient")}};
}

/// The distributions of the authors' program; E: how a parameter's name ends.
class Draw {
 public:
  Draw(Parameters& parameters, const TdnShape& shape, std::uint64_t seed)
      : parameters_(parameters), shape_(shape), random_(seed) {}

  void all() {
    for (const Parameters::Entry& entry : parameters_.entries()) one(entry);
  }

 private:
  void one(const Parameters::Entry& entry) {
    const auto ends = [&](const char* text) { return entry.name.ends_with(text); };
    const auto starts = [&](const char* text) { return entry.name.starts_with(text); };
    if (ends("gain") || entry.name == "gaussians.scale") return fill(entry, 1);
    if (ends("norm.bias") || ends("norm_1.bias") || ends("norm_2.bias")) return;
    if (entry.name == "gaussians.mean") return uniform(entry, 0, 1);
    if (entry.name == "gaussians.std") return uniform(entry, 1.0 / shape_.num_gaussians, 1);
    if (entry.name == "embedding.weight") return within(entry, 1);
    if (entry.name == "embedding.bias") return within(entry, 1 / std::sqrt(80.0));
    if (ends("score.vector"))
      return within(entry, std::sqrt(6.0 / (shape_.heads + shape_.channels / static_cast<double>(shape_.heads))));
    if (ends("radial.offset")) return within(entry, 1 / std::sqrt(static_cast<double>(shape_.radial_mlp.back())));
    if (ends("weight")) last_inputs_ = entry.shape[0];
    // Biases of radial networks are drawn as their matrix; those of equivariant layers start from 0.
    if (ends("weight") || (ends("bias") && entry.name.find(".radial.") != std::string::npos && !starts("norm")))
      within(entry, 1 / std::sqrt(static_cast<double>(last_inputs_)));
  }
  void fill(const Parameters::Entry& entry, double value) {
    for (double& x : parameters_[entry.name]) x = value;
  }
  void uniform(const Parameters::Entry& entry, double low, double high) {
    for (double& x : parameters_[entry.name]) x = low + (high - low) * random_.uniform();
  }
  void within(const Parameters::Entry& entry, double bound) { uniform(entry, -bound, bound); }

  Parameters& parameters_;
  const TdnShape& shape_;
  SplitMix random_;
  int last_inputs_ = 1;
};

/// Factors of our own search: the authors' way, for comparison. The exact tensor costs less and is invariant.
void add_factors(const StrictJson& config, const TdnShape& shape, ModelRecord& record) {
  require(
      shape.cp_coupling == config.contains("cp_rank"),
      "model: 'coupling' cp and 'cp_rank', the rank of the decomposed tensor (the authors have 7 for 'l_max' 1), go "
      "together: set both or none");
  if (!shape.cp_coupling) return;
  const int d = shape.components(), rank = config.integer("cp_rank", 1, 256);
  CpSearch search;
  search.starts = 2;
  const CpFactors factors = decompose(all_path_tensor(shape.l_max, false), d, d, d, rank, search);
  record.tables["cp.a"] = {{d, rank}, factors.first};
  record.tables["cp.b"] = {{d, rank}, factors.second};
  record.tables["cp.c"] = {{d, rank}, factors.out};
}

}  // namespace

ModelRecord create_tdn(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
  const StrictJson checked(config, "model",
                           {"architecture", "cutoff", "channels", "l_max", "layers", "heads", "num_gaussians",
                            "radial_mlp", "coupling", "cp_rank", "parity", "cutoff_power", "logit_bound",
                            "isolated_zero", "scale", "force_scale", "forces", "attention_dropout"});
  require(!checked.contains("attention_dropout") || checked.at("attention_dropout") == 0,
          "model: 'attention_dropout' must be 0, found {}: this trainer drops no attention weights",
          checked.contains("attention_dropout") ? checked.at("attention_dropout").dump() : "");
  ModelRecord record;
  record.architecture = "tdn";
  record.elements = statistics.elements;
  record.atomic_energies = statistics.atomic_energies;
  record.cutoff = checked.get<double>("cutoff");
  require(record.cutoff > 0, "model: 'cutoff' must be positive (Å), found {}", record.cutoff);
  record.hyperparameters = hyperparameters(checked, statistics);
  const TdnShape shape =
      TdnShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  add_factors(checked, shape, record);
  record.parameters = declare_parameters(shape);
  Draw(record.parameters, shape, seed).all();
  return record;
}

}  // namespace isotrope
