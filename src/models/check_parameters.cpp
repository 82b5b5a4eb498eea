// SPDX-License-Identifier: MIT
#include "models/check_parameters.hpp"

#include "core/error.hpp"

namespace isotrope {

void check_parameters(const Parameters& found, const Parameters& expected) {
  const auto &a = found.entries(), &b = expected.entries();
  for (std::size_t k = 0; k < b.size(); ++k) {
    const std::string name = k < a.size() ? a[k].name : "none";
    require(k < a.size() && a[k].name == b[k].name && a[k].shape == b[k].shape,
            "model: parameter {} should be {} of shape [{}], found {} of shape [{}]", k, b[k].name,
            fmt::join(b[k].shape, ", "), name, k < a.size() ? fmt::format("{}", fmt::join(a[k].shape, ", ")) : "");
  }
  require(a.size() == b.size(), "model: {} parameters, expected {}", a.size(), b.size());
}

}  // namespace isotrope
