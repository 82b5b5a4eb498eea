// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope {

/// The JSON number that begins at `at`, rounded to the nearest double (to even at a tie), as Python's json reads it;
/// beyond the largest double it is infinite. Returns what follows it, nullptr where there is no number. Behind the text
/// lie at least 24 readable bytes, the first of them no part of a number.
const char* parse_json_number(const char* at, double& value);

}  // namespace isotrope
