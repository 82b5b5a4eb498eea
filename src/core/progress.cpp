// SPDX-License-Identifier: MIT
#include "core/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/log.hpp"

namespace isotrope {

namespace {

std::string duration(double seconds) {
  long s = static_cast<long>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{} h {:02d} min", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{} min {:02d} s", s / 60, s % 60);
  return fmt::format("{} s", s);
}

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  interrupt();
}

void Progress::interrupt() {
  if (line_open_) fmt::print(stderr, "\r\033[K");
  line_open_ = false;
  last_ = Clock::now();
}

bool Progress::due() const {
  double interval = terminal_ ? 0.2 : 10;
  return log().should_log(spdlog::level::info) &&
         std::chrono::duration<double>(Clock::now() - last_).count() >= interval;
}

void Progress::update(double part, const std::string& detail) {
  if (!due()) return;
  last_ = Clock::now();
  double spent = std::chrono::duration<double>(last_ - start_).count();
  part = std::clamp(part, 0.0, 1.0);
  std::string left = part > 0 ? fmt::format(", {} left", duration(spent * (1 - part) / part)) : "";
  std::string line = fmt::format("{}: {:.0f}%, {}{}", what_, 100 * part, detail, left);
  if (terminal_) {
    fmt::print(stderr, "\r{}\033[K", line);
    std::fflush(stderr);
    line_open_ = true;
  } else {
    log().info(line);
  }
}

}  // namespace isotrope
