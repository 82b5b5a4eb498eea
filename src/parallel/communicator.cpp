// SPDX-License-Identifier: MIT
#include "parallel/communicator.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "core/error.hpp"

#ifdef ISOTROPE_HAVE_MPI
#include <mpi.h>
#endif

namespace isotrope {
namespace {

/// How many processes the launcher started: Hydra and Slurm say PMI_SIZE, Open MPI the other. 0: no launcher.
int launched_processes() {
  for (const char* name : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE"})
    if (const char* value = std::getenv(name)) return std::atoi(value);
  return 0;
}

#ifdef ISOTROPE_HAVE_MPI
/// Waits until the launcher has taken what was written into its pipe, of which an abort drops the rest; two seconds at
/// most.
void wait_until_read(int descriptor) {
  for (int unread = 1, tries = 0; unread > 0 && tries < 200; ++tries) {
    if (ioctl(descriptor, FIONREAD, &unread) != 0) return;  // no pipe: nobody has to take anything
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
#endif

}  // namespace

#ifdef ISOTROPE_HAVE_MPI

Communicator::Communicator() {
  if (launched_processes() == 0) return;
  require(MPI_Init(nullptr, nullptr) == MPI_SUCCESS, "MPI_Init failed");
  started_ = true;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
  if (ranks_ != launched_processes()) {
    MPI_Finalize();
    fail(
        "{} processes were started, but MPI connects {}: use the mpiexec of the MPI that isotrope was built with "
        "(.venv/bin/mpiexec)",
        launched_processes(), ranks_);
  }
}

Communicator::~Communicator() {
  if (started_) MPI_Finalize();
}

void Communicator::sum(std::span<double> values) const {
  if (ranks_ > 1)
    MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

void Communicator::barrier() const {
  if (ranks_ > 1) MPI_Barrier(MPI_COMM_WORLD);
}

#else

Communicator::Communicator() {
  require(
      launched_processes() <= 1,
      "{} processes were started, but this isotrope was built without MPI; build it with the mpich wheel in .venv, or "
      "start one process",
      launched_processes());
}

Communicator::~Communicator() = default;
void Communicator::sum(std::span<double>) const {}
void Communicator::barrier() const {}

#endif

void Communicator::abort(const std::string& message) const {
  // Most failures strike every rank alike: the root speaks first, the others only if it does not.
  if (!root()) std::this_thread::sleep_for(std::chrono::seconds(2));
  fmt::print(stderr, "isotrope: error: {}{}\n", root() ? "" : fmt::format("rank {}: ", rank_), message);
  std::fflush(nullptr);
#ifdef ISOTROPE_HAVE_MPI
  if (started_) wait_until_read(STDERR_FILENO);
  if (started_) MPI_Abort(MPI_COMM_WORLD, 1);
#endif
  std::exit(1);
}

}  // namespace isotrope
