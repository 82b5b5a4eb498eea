// SPDX-License-Identifier: MIT
#pragma once
#include <span>
#include <string>

namespace isotrope {

/// The ranks of a run. MPI starts only under mpiexec (its environment says so); otherwise, and in a build without MPI,
/// there is one rank and nothing is called. One object a process, made before anything is read.
class Communicator {
 public:
  /// Throws where mpiexec started several processes and this build has no MPI: they would all write the same files.
  Communicator();
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  bool root() const { return rank_ == 0; }

  /// Adds element by element over all ranks; every rank gets the same sums.
  void sum(std::span<double> values) const;
  void barrier() const;
  /// Reports a failure and ends every rank: the others wait in a sum that would never come.
  [[noreturn]] void abort(const std::string& message) const;

 private:
  bool started_ = false;
  int rank_ = 0, ranks_ = 1;
};

}  // namespace isotrope
