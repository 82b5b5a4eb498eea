// SPDX-License-Identifier: MIT
#include "train/run_log.hpp"

#include <fstream>
#include <sstream>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace isotrope {
namespace {

constexpr const char* header =
    "step,epoch,seconds,learning_rate,train_loss,validation_loss,energy_mae_mev_per_atom,energy_rmse_mev_per_atom,"
    "force_mae_mev_per_angstrom,force_rmse_mev_per_angstrom,stress_mae_mev_per_cubic_angstrom,structures_per_second\n";

std::string csv_row(const CurvePoint& p) {
  const ErrorSums& e = p.errors;
  return fmt::format("{},{},{:.3f},{:.6g},{:.8g},{:.8g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.4g}\n", p.step, p.epoch,
                     p.seconds, p.learning_rate, p.train_loss, p.validation_loss, 1e3 * e.energy_mae(),
                     1e3 * e.energy_rmse(), 1e3 * e.force_mae(), 1e3 * e.force_rmse(), 1e3 * e.stress_mae(),
                     p.structures_per_second);
}

/// The header and the rows of an earlier part of the run that are not past its checkpoint.
std::string earlier_rows(const std::string& path, std::int64_t last_step) {
  std::string kept = header;
  std::ifstream file(path);
  std::string line;
  for (std::getline(file, line); std::getline(file, line);)
    if (std::atoll(line.c_str()) <= last_step) kept += line + '\n';
  return kept;
}

std::string clock(double seconds) {
  const auto s = static_cast<long>(seconds);
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

RunLog::RunLog(std::string csv_path, std::int64_t resumed_step, bool silent)
    : path_(std::move(csv_path)), silent_(silent) {
  if (!silent_) write_text_file(path_, resumed_step > 0 ? earlier_rows(path_, resumed_step) : header);
}

void RunLog::point(const CurvePoint& p) {
  if (silent_) return;
  progress_.interrupt();
  const ErrorSums& e = p.errors;
  std::string validation;
  if (e.energies > 0) validation += fmt::format("  E {:.2f} meV/atom", 1e3 * e.energy_mae());
  if (e.components > 0) validation += fmt::format("  F {:.2f} meV/Å", 1e3 * e.force_mae());
  if (e.stresses > 0) validation += fmt::format("  stress {:.3f} meV/Å^3", 1e3 * e.stress_mae());
  log().info("epoch {:4d}  step {:6d}  loss {:.4e}{}  rate {:.2e}  {:.0f} structures/s  {}", p.epoch, p.step,
             p.train_loss, validation.empty() ? "" : "  validation MAE:" + validation, p.learning_rate,
             p.structures_per_second, clock(p.seconds));
  std::ofstream file(path_, std::ios::app);
  file << csv_row(p) << std::flush;
  require(file.good(), "cannot write the learning curve '{}': is the disk full?", path_);
}

void RunLog::tick(double fraction, std::int64_t step, double loss) {
  if (first_fraction_ < 0) first_fraction_ = fraction;
  if (silent_ || !progress_.due()) return;
  const double part = fraction < 1 ? (fraction - first_fraction_) / (1 - first_fraction_) : 1;
  progress_.update(part, fmt::format("step {}, loss {:.3e}", step, loss));
}

}  // namespace isotrope
