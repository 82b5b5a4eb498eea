// SPDX-License-Identifier: MIT
#include "core/parameters.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace isotrope {

namespace {

// Models have tens to hundreds of arrays and look them up once, when they are prepared: a linear search is enough.
auto find_entry(const std::vector<Parameters::Entry>& entries, const std::string& name) {
  return std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
}

}  // namespace

std::size_t Parameters::add(const std::string& name, std::vector<int> shape) {
  require(!name.empty() && name.find('/') == std::string::npos,
          "parameter '{}': expected a name that is not empty and has no slash", name);
  require(!contains(name), "parameter '{}' exists already", name);
  Entry entry{name, std::move(shape), values_.size(), 1};
  for (int extent : entry.shape) {
    require(extent >= 0, "parameter '{}': expected extents of 0 or more, found {}", name, extent);
    entry.size *= static_cast<std::size_t>(extent);
  }
  entries_.push_back(entry);
  values_.resize(values_.size() + entry.size, 0.0);
  return entry.offset;
}

bool Parameters::contains(const std::string& name) const {
  return find_entry(entries_, name) != entries_.end();
}

const Parameters::Entry& Parameters::entry(const std::string& name) const {
  auto found = find_entry(entries_, name);
  require(found != entries_.end(), "no parameter '{}' in this model", name);
  return *found;
}

std::span<double> Parameters::operator[](const std::string& name) {
  const Entry& e = entry(name);
  return {values_.data() + e.offset, e.size};
}

std::span<const double> Parameters::operator[](const std::string& name) const {
  const Entry& e = entry(name);
  return {values_.data() + e.offset, e.size};
}

}  // namespace isotrope
