// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <chrono>
#include <vector>

namespace isotrope {

/// Wall times of repeats of the same work, s.
struct Timing {
  double best = 0, median = 0;
};

/// Runs `work` until caches and scratch have settled (twice, and for a fifth of a second), then `repeats` times.
template <class Work>
Timing time_repeats(int repeats, const Work& work) {
  using Clock = std::chrono::steady_clock;
  const auto once = [&] {
    const auto start = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  double warm_up = once();
  do warm_up += once();
  while (warm_up < 0.2);
  std::vector<double> times(std::max(1, repeats));
  for (double& t : times) t = once();
  std::sort(times.begin(), times.end());
  const std::size_t n = times.size();
  return {times[0], 0.5 * (times[(n - 1) / 2] + times[n / 2])};
}

}  // namespace isotrope
