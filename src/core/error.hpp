// SPDX-License-Identifier: MIT
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace isotrope {

/// Every failure that a user can cause. The text is one sentence: what was expected, what was found, where, what to do.
/// The library throws; the command line prints and exits non-zero; the pair style calls LAMMPS's error.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw Error(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace isotrope
