// SPDX-License-Identifier: MIT
#include "train/sample_set.hpp"

#include <cmath>

#include "core/error.hpp"

namespace isotrope {
namespace {

bool finite(const Vec3& v) {
  return std::isfinite(v[0]) && std::isfinite(v[1]) && std::isfinite(v[2]);
}
bool finite(const Mat3& m) {
  return finite(m[0]) && finite(m[1]) && finite(m[2]);
}

template <class What>
void check_finite(const Sample& sample, bool good, What&& what) {
  if (!good)
    fail("{}: expected finite numbers, found NaN or infinity in its {}; remove or repair that structure",
         sample.where(), what());
}

}  // namespace

std::string Sample::where() const {
  return fmt::format("{}: structure {}", file, index);
}

void check_sample(const Sample& sample) {
  const Structure& s = sample.structure;
  if (s.size() == 0) fail("{}: it has no atoms; remove it", sample.where());
  if (!s.forces.empty() && s.forces.size() != s.numbers.size())
    fail("{}: expected {} forces, found {}", sample.where(), s.size(), s.forces.size());
  if (s.stress && !(s.periodic[0] && s.periodic[1] && s.periodic[2]))
    fail(
        "{}: it has a stress but is not periodic in all three directions, where stress has no meaning; remove the "
        "label",
        sample.where());
  for (int i = 0; i < s.size(); ++i)
    check_finite(sample, finite(s.positions[i]), [&] { return fmt::format("positions (atom {})", i); });
  for (int i = 0; i < static_cast<int>(s.forces.size()); ++i)
    check_finite(sample, finite(s.forces[i]), [&] { return fmt::format("forces (atom {})", i); });
  check_finite(sample, !s.energy || std::isfinite(*s.energy), [] { return "energy"; });
  check_finite(sample, !s.stress || finite(*s.stress), [] { return "stress"; });
  check_finite(sample, std::isfinite(s.weight) && s.weight >= 0, [] { return "weight (or a negative one)"; });
}

std::string SampleSet::where(int i) const {
  return fmt::format("{}: structure {}", sources[entries[i].source]->name(), entries[i].place);
}

LossCounts SampleSet::counts(int i) const {
  const SampleEntry& e = entries[i];
  return {e.labels & energy_bit ? 1.0 : 0.0, e.labels & forces_bit ? 3.0 * e.atoms : 0.0,
          e.labels & stress_bit ? 9.0 : 0.0, e.labels & forces_bit ? 1.0 : 0.0};
}

std::shared_ptr<const StructureBlock> SampleSet::read(std::span<const int> samples) const {
  std::vector<std::uint32_t> places;
  for (const int i : samples) places.push_back(entries[i].place);
  return sources[entries[samples.front()].source]->read(places);
}

Sample SampleSet::sample(int i, const StructureBlock& block, int row) const {
  Sample sample{block.structure(row), sources[entries[i].source]->name(), entries[i].place, 1};
  check_sample(sample);
  const auto factor = weights.find(sample.structure.config_type);
  sample.weight = sample.structure.weight * (factor == weights.end() ? 1 : factor->second);
  return sample;
}

Sample SampleSet::read_one(int i) const {
  return sample(i, *read({&i, 1}), 0);
}

}  // namespace isotrope
