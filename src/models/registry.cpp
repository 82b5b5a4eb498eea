// SPDX-License-Identifier: MIT
#include <functional>
#include <map>

#include "core/error.hpp"
#include "core/nearest.hpp"
#include "models/mace.hpp"
#include "models/nequip.hpp"
#include "models/potential.hpp"
#include "models/tdn.hpp"
#include "models/transip.hpp"

namespace isotrope {
namespace {

struct Architecture {
  std::function<ModelRecord(const nlohmann::json&, const DataStatistics&, std::uint64_t)> create;
  std::function<std::unique_ptr<Potential>(const ModelRecord&, Precision)> load;
  bool cutoff_is_optional = false;
};

/// Here an architecture is added.
const std::map<std::string, Architecture>& registry() {
  static const std::map<std::string, Architecture> known{{"mace", {create_mace, make_mace}},
                                                         {"nequip", {create_nequip, make_nequip}},
                                                         {"tdn", {create_tdn, make_tdn}},
                                                         {"transip", {create_transip, make_transip, true}}};
  return known;
}

const Architecture& find(const std::string& name) {
  const auto found = registry().find(name);
  require(found != registry().end(), "unknown architecture '{}': this build knows {}", name,
          fmt::join(architectures(), ", "));
  return found->second;
}

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const auto& [name, architecture] : registry()) names.push_back(name);
  return names;
}

bool can_do_without_cutoff(const std::string& architecture) {
  const auto found = registry().find(architecture);
  return found != registry().end() && found->second.cutoff_is_optional;
}

ModelRecord create_model(const nlohmann::json& config, const DataStatistics& statistics, std::uint64_t seed) {
  require(config.is_object() && config.contains("architecture"), "model: key 'architecture' is missing (one of {})",
          fmt::join(architectures(), ", "));
  return find(config.at("architecture").get<std::string>()).create(config, statistics, seed);
}

std::unique_ptr<Potential> make_potential(const ModelRecord& record, Precision precision) {
  return find(record.architecture).load(record, precision);
}

}  // namespace isotrope
