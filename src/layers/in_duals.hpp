// SPDX-License-Identifier: MIT
#pragma once
#include "core/lane.hpp"

namespace isotrope {

/// Plain numbers in the places of the values of duals: every row of them is followed by one of tangents, which is left
/// alone. A pass on duals finds what a plain pass has computed there and forms tangents alone.
template <class T>
struct InDuals : Plain<T> {
  static constexpr int rows = 2;
};
template <class A>
inline constexpr bool in_duals = !A::dual && A::rows == 2;

}  // namespace isotrope
