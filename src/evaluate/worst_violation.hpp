// SPDX-License-Identifier: MIT
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "evaluate/physics_checks.hpp"
#include "geometry/frames.hpp"

namespace isotrope::physics {

/// Steps and bounds of the checks in a precision of the network. Bounds are for forces of order 1 eV/Å and below, and
/// grow with larger ones.
struct Tolerance {
  double step, strain;       ///< of finite differences: Å, 1
  double derivative;         ///< eV/Å, eV/atom
  double energy, force;      ///< what rounding may do: eV/atom, eV/Å
  double cutoff_step, jump;  ///< Å; eV, eV/Å
  static Tolerance of(Precision precision) {
    // Single precision: energies carry 1e-6 eV of rounding, so that only coarse steps can be read; a wrong formula
    // still shows.
    if (precision == Precision::single_precision) return {1e-2, 2e-3, 3e-3, 5e-6, 2e-4, 1e-3, 3e-4};
    return {2e-4, 5e-5, 1e-7, 1e-10, 1e-10, 1e-5, 1e-7};
  }
};

/// Keeps the violation that is largest in proportion to its bound; NaN is worse than any number.
class WorstViolation {
 public:
  void add(double value, double bound, const char* unit, std::string where) {
    const double ratio = value / bound;
    if (std::isnan(ratio_) || (measured_ && ratio <= ratio_)) return;
    ratio_ = ratio;
    measured_ = true;
    result_.value = value;
    result_.bound = bound;
    result_.unit = unit;
    result_.where = std::move(where);
  }

  /// `claimed`: whether the model claims the property.
  CheckResult result(const char* name, bool claimed = true) const {
    CheckResult r = result_;
    r.name = name;
    if (!measured_) {
      r.value = r.bound = std::numeric_limits<double>::quiet_NaN();
      r.where = "nothing to measure";
    }
    if (!measured_ || (!claimed && !std::isnan(r.value)))
      r.verdict = CheckResult::Verdict::note;
    else
      r.verdict = r.value <= r.bound ? CheckResult::Verdict::pass : CheckResult::Verdict::fail;
    return r;
  }

 private:
  bool measured_ = false;
  double ratio_ = 0;
  CheckResult result_;
};

/// Stress comes from the derivatives by the edges.
inline bool has_stress(const PotentialInfo& info) {
  return info.forces == Forces::gradient && info.cutoff > 0;
}

/// Whether the model gives up its invariance for a structure, whose principal axes are nearly degenerate.
inline bool frames_fade(const CheckedPotential& potential, const Structure& structure) {
  return structure.size() > 2 && smallest_frame_gap(structure) < potential.frame_gap;
}

inline double length(const Vec3& a) {
  return std::sqrt(dot(a, a));
}

/// What bounds on forces are multiplied with: their root mean square, at least 1 eV/Å.
inline double force_scale(const Observables& o) {
  double sum = 0;
  for (const Vec3& f : o.forces) sum += dot(f, f);
  return std::max(1.0, std::sqrt(sum / (3.0 * static_cast<double>(o.forces.size()))));
}

inline bool fully_periodic(const Structure& s) {
  return s.periodic[0] && s.periodic[1] && s.periodic[2];
}
inline bool molecule(const Structure& s) {
  return !s.periodic[0] && !s.periodic[1] && !s.periodic[2];
}

}  // namespace isotrope::physics
