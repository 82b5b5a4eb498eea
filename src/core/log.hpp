// SPDX-License-Identifier: MIT
#pragma once
#include <spdlog/logger.h>

namespace isotrope {

/// The program's log: plain lines on standard error, so that standard output stays free for results (`--json`).
/// Warnings and errors carry their level, information does not.
spdlog::logger& log();

enum class Verbosity { quiet, normal, verbose };
/// quiet: warnings and errors; normal: information too; verbose: debugging too.
void set_verbosity(Verbosity verbosity);

}  // namespace isotrope
