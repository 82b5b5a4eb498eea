// SPDX-License-Identifier: GPL-2.0-only
#pragma once
#include <lammps/pair.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gather_halo.h"
#include "models/potential.hpp"
#include "owner_halo.h"
#include "pair_input.h"

namespace LAMMPS_NS {

/// pair_style isotrope: any isotrope model in LAMMPS. One graph a rank and step; features of ghosts come from their
/// owners, between layers, so the ghost shell is one cutoff wide at any depth.
///
/// LAMMPS's headers bring their own fmt: files that include them never include core/error.hpp.
class PairIsotrope : public Pair {
 public:
  explicit PairIsotrope(LAMMPS* lmp);
  ~PairIsotrope() override;

  void settings(int narg, char** arg) override;
  void coeff(int narg, char** arg) override;
  void init_style() override;
  double init_one(int i, int j) override;
  void compute(int eflag, int vflag) override;
  double memory_usage() override;

  int pack_forward_comm(int n, int* atoms, double* out, int pbc_flag, int* pbc) override;
  void unpack_forward_comm(int n, int first, double* in) override;

 private:
  void together(const std::function<void()>& step);
  void fail(const std::string& problem);

  void map_types();
  void set_units();
  void refuse_heat_flux();
  void refuse_excluded_bonds();
  void check_fixes_for_direct_forces();
  void refuse_periodic_box();
  void check_spin();

  void find_homes();
  void build_graph();
  void build_whole_graph();
  void evaluate();
  void add_energies();
  void add_forces();
  void add_direct_forces();
  void add_whole_forces();
  void add_virial();

  isotrope::PairSettings settings_;
  isotrope::PairModel model_;
  std::unique_ptr<isotrope::Workspace> workspace_;
  isotrope::Graph graph_;
  isotrope::Result result_;
  isotrope::OwnerHalo halo_;
  isotrope::GatherHalo gather_;
  isotrope::ForceExchange forces_;
  std::vector<double> home_;  // [total] isotrope::Home of atoms and ghosts
  std::vector<isotrope::Mat3> atom_virial_;
  /// Whether the model sees the whole molecule instead of neighbours.
  bool whole() const { return model_.potential->info().cutoff == 0; }
  bool direct() const { return model_.potential->info().forces == isotrope::Forces::direct; }
  double energy_unit_ = 1;          // of LAMMPS per eV
  std::array<double, 2> totals_{};  // what `compute pair` shows: interaction energy and sum of E0 on this rank
};

}  // namespace LAMMPS_NS
