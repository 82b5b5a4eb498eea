// SPDX-License-Identifier: MIT
#pragma once
#include <chrono>
#include <string>

namespace isotrope {

/// Progress of long work on standard error: on a terminal one line that is rewritten, with the time left; in a log a
/// plain line now and then. Silent under --quiet.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  /// `part` of the work is done, 0 to 1; `detail` says what that is ("1200 structures"). Cheap to call often.
  void update(double part, const std::string& detail);
  /// Whether the next update() would print: to spare making the text.
  bool due() const;
  /// Takes the line off the terminal, before another line is printed; a later update() brings it back.
  void interrupt();

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool terminal_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
  bool line_open_ = false;
};

}  // namespace isotrope
