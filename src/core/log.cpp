// SPDX-License-Identifier: MIT
#include "core/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace isotrope {

namespace {

/// "warning: " before warnings and errors, nothing before the rest.
class LevelPrefix : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    if (message.level < spdlog::level::warn) return;
    auto name = spdlog::level::to_string_view(message.level);
    out.append(name.data(), name.data() + name.size());
    out.append(std::string_view(": "));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelPrefix>(); }
};

std::unique_ptr<spdlog::logger> make_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelPrefix>('*').set_pattern("%*%v");
  sink->set_formatter(std::move(formatter));
  auto logger = std::make_unique<spdlog::logger>("isotrope", sink);
  logger->set_level(spdlog::level::info);
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace

spdlog::logger& log() {
  static const std::unique_ptr<spdlog::logger> logger = make_logger();
  return *logger;
}

void set_verbosity(Verbosity verbosity) {
  switch (verbosity) {
    case Verbosity::quiet:
      log().set_level(spdlog::level::warn);
      break;
    case Verbosity::normal:
      log().set_level(spdlog::level::info);
      break;
    case Verbosity::verbose:
      log().set_level(spdlog::level::debug);
      break;
  }
}

}  // namespace isotrope
