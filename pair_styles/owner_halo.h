// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <mpi.h>

#include <span>
#include <vector>

#include "core/vec3.hpp"
#include "layers/halo.hpp"

namespace isotrope {

/// Where an atom lives: its rank and its index there, in one number that LAMMPS can send to its ghosts. Exact for ranks
/// below 2^22.
struct Home {
  int rank, index;
  explicit Home(double number)
      : rank(static_cast<int>(number / indices)), index(static_cast<int>(number - rank * indices)) {}
  static double number(int rank, int index) { return rank * indices + index; }
  static constexpr double indices = 2147483648.0;  // of an int
};

/// Messages straight from the owner of an atom to the ranks that read it, once to each however many images they see:
/// LAMMPS's own communication goes along one axis after the other and brings every image by itself.
///
/// The graph's atoms are the rank's own and then one for each atom of another rank, by rank and index there.
class OwnerHalo final : public Halo {
 public:
  /// From the homes [total] of the rank's atoms and ghosts. Every rank calls it, before the first exchange of a step.
  void build(MPI_Comm world, int owned, std::span<const double> home);
  int atoms() const { return owned_ + static_cast<int>(theirs_.size()); }  ///< of the graph
  std::span<const int> place() const { return place_; }                    ///< [total] of an atom or ghost in the graph

  void forward(Exchange& values) override;
  void reverse(Exchange& values) override;

 private:
  struct Range {
    int first, count;
  };
  struct Partner {
    int rank;
    Range mine;    ///< in mine_: what it reads of this rank's atoms
    Range theirs;  ///< in theirs_: what this rank reads of its atoms
  };
  void number(std::span<const double> home);
  void find_partners();
  void ask_owners();
  const double* carry(const Exchange& values, const std::vector<int>& from, Range Partner::*sent,
                      const std::vector<int>& to, Range Partner::*received);
  template <class T>
  void trade(int width, const T* out, Range Partner::*sent, T* in, Range Partner::*received);

  MPI_Comm world_ = MPI_COMM_NULL;
  int me_ = 0, owned_ = 0;
  std::vector<double> foreign_;     // homes of the atoms of other ranks, ascending
  std::vector<int> place_;          // [total]
  std::vector<int> mine_, theirs_;  // places, partner after partner
  std::vector<Partner> partners_;   // by rank
  std::vector<int> wanted_;         // of theirs_ the indices where they live
  std::vector<double> out_, in_;
  std::vector<MPI_Request> requests_;
};

/// Forces on atoms of other ranks on their way home: three numbers an atom.
class ForceExchange final : public Exchange {
 public:
  std::vector<Vec3> values;  ///< [atoms of the graph]
  int width() const override { return 3; }
  void pack(std::span<const int> atoms, double* out) const override;
  void unpack(std::span<const int> atoms, const double* in) override;
  void accumulate(std::span<const int> atoms, const double* in) override;
};

}  // namespace isotrope
