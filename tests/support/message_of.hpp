// SPDX-License-Identifier: MIT
#pragma once
#include <string>

#include "core/error.hpp"

namespace isotrope::testing {

/// The message of the Error that `action` throws; "no error" where there is none.
template <class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace isotrope::testing
