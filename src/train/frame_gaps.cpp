// SPDX-License-Identifier: MIT
#include "train/frame_gaps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <any>
#include <array>

#include "geometry/frames.hpp"

namespace isotrope {
namespace {

constexpr std::array<double, 8> lower{0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};

}  // namespace

std::string frame_gap_histogram(const SampleSet& set, double gap_switch, const LoaderOptions& options,
                                const Communicator& communicator) {
  const EpochPlanner planner(set.entries, {}, window_of(options));
  const auto plan = std::make_shared<const EpochPlan>(planner.blocks_of(communicator.rank(), communicator.ranks()));
  SampleStream stream(set, planner, {0, 1, options.workers}, [&](const std::vector<int>&, std::vector<Sample> samples) {
    std::vector<double> gaps;
    for (const Sample& sample : samples) gaps.push_back(smallest_frame_gap(sample.structure));
    return std::any(gaps);
  });
  stream.append(plan);
  std::array<double, lower.size() + 1> counts{};  // the last: below the switch
  for (int k = 0; k < plan->batches(); ++k) {
    for (const double gap : std::any_cast<std::vector<double>>(stream.next())) {
      counts[std::upper_bound(lower.begin(), lower.end(), gap) - lower.begin() - 1] += 1;
      if (gap < gap_switch) counts.back() += 1;
    }
  }
  communicator.sum(counts);
  std::string text = fmt::format(
      "frames: in {:.0f} of {} structures they fade, because a gap of their principal axes is below {}\n  gap from",
      counts.back(), set.size(), gap_switch);
  for (const double from : lower) text += fmt::format("{:>8}", from);
  text += "\n  structures";
  for (std::size_t k = 0; k < lower.size(); ++k) text += fmt::format("{:>{}.0f}", counts[k], k == 0 ? 6 : 8);
  return text;
}

}  // namespace isotrope
