// SPDX-License-Identifier: GPL-2.0-only
#include "pair_isotrope.h"

#include <lammps/atom.h>
#include <lammps/comm.h>
#include <lammps/compute.h>
#include <lammps/domain.h>
#include <lammps/error.h>
#include <lammps/fix.h>
#include <lammps/force.h>
#include <lammps/memory.h>
#include <lammps/modify.h>
#include <lammps/neigh_list.h>
#include <lammps/neighbor.h>
#include <lammps/update.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <stdexcept>

#include "core/units.hpp"
#include "domain_graph.h"
#include "geometry/forces.hpp"
#include "runtime.h"

namespace LAMMPS_NS {

namespace {
constexpr const char* no_virial =
    "direct forces have no virial: take barostats and per-atom stress out of the input, or use a model with gradient "
    "forces";
}  // namespace

PairIsotrope::PairIsotrope(LAMMPS* lmp) : Pair(lmp) {
  comm_forward = 1;
  single_enable = 0;
  restartinfo = 0;
  respa_enable = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_AVAIL;
  nextra = static_cast<int>(totals_.size());
  pvector = totals_.data();
  isotrope::start_runtime();
}

PairIsotrope::~PairIsotrope() {
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

/// Runs a step that may fail on some ranks only, and fails on all of them with the message of the first: before any
/// communication, so that no rank waits for another.
void PairIsotrope::together(const std::function<void()>& step) {
  std::string message;
  try {
    step();
  } catch (const std::runtime_error& problem) {
    message = problem.what();
  } catch (const std::bad_alloc&) {
    message = "out of memory";
  }
  const int mine = message.empty() ? comm->nprocs : comm->me;
  int first = 0;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == comm->nprocs) return;
  int length = static_cast<int>(message.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  message.resize(length);
  MPI_Bcast(message.data(), length, MPI_CHAR, first, world);
  fail(message);
}

void PairIsotrope::fail(const std::string& problem) {
  error->all("pair_isotrope.cpp", __LINE__, "isotrope: " + problem);
}

void PairIsotrope::settings(int narg, char** arg) {
  together([&] { settings_ = isotrope::parse_pair_settings({arg, arg + narg}); });
  // The same style again keeps this object: what pair_coeff made with other settings must not live on.
  for (int i = 1; allocated && i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j) setflag[i][j] = 0;
}

void PairIsotrope::coeff(int narg, char** arg) {
  const bool hybrid = force->pair != this;
  together([&] {
    model_ = isotrope::load_pair_model({arg, arg + narg}, atom->ntypes, hybrid, settings_);
    workspace_ = model_.potential->make_workspace();
  });
  graph_.charge = {settings_.charge.value_or(0)};
  graph_.multiplicity = {settings_.multiplicity.value_or(1)};
  graph_.volume = {0};
  map_types();
  if (comm->me == 0) utils::logmesg(lmp, model_.summary);
}

/// Tells LAMMPS which pairs of types are ours.
void PairIsotrope::map_types() {
  const int n = atom->ntypes;
  if (!allocated) {
    memory->create(setflag, n + 1, n + 1, "pair:setflag");
    memory->create(cutsq, n + 1, n + 1, "pair:cutsq");
    allocated = 1;
  }
  for (int i = 1; i <= n; ++i)
    for (int j = 1; j <= n; ++j) setflag[i][j] = model_.species[i] >= 0 && model_.species[j] >= 0;
}

void PairIsotrope::init_style() {
  set_units();
  refuse_heat_flux();
  refuse_excluded_bonds();
  check_fixes_for_direct_forces();
  check_spin();
  if (whole()) {
    refuse_periodic_box();
    return;
  }
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

void PairIsotrope::refuse_periodic_box() {
  if (domain->xperiodic || domain->yperiodic || domain->zperiodic)
    fail("the model (" + model_.potential->info().architecture +
         ") sees the whole molecule and takes no periodic box: write 'boundary f f f' (or s, m), or use its "
         "local variant, which has a cutoff");
}

/// The number of electrons decides whether 2S+1 is odd or even.
void PairIsotrope::check_spin() {
  const auto& elements = model_.potential->info().elements;
  long mine = 0, all = 0;
  for (int i = 0; i < atom->nlocal; ++i) {
    const int species = model_.species[atom->type[i]];
    if (species >= 0) mine += elements[species];
  }
  MPI_Allreduce(&mine, &all, 1, MPI_LONG, MPI_SUM, world);
  together([&] { isotrope::check_electrons(settings_, all); });
}

void PairIsotrope::set_units() {
  const std::string style = update->unit_style;
  if (style != "metal" && style != "real")
    fail("expected 'units metal' (or real), found 'units " + style + "': change the input");
  energy_unit_ = style == "real" ? 1 / isotrope::units::kcal_per_mol_in_ev : 1;
}

void PairIsotrope::refuse_heat_flux() {
  for (Compute* c : modify->get_compute_list())
    if (std::string(c->style).rfind("heat/flux", 0) == 0)
      fail("compute " + std::string(c->id) + " (" + c->style +
           ") needs derivatives of per-atom energies, which message passing models do not give yet: take it out of the "
           "input");
}

/// LAMMPS leaves bonded pairs out of neighbour lists where special_bonds is zero, which it is unless set: the model
/// would not see them.
void PairIsotrope::refuse_excluded_bonds() {
  if (atom->molecular == 0 || atom->nbonds == 0 || force->kspace) return;
  int found = 0;
  for (int k = 0; k < 3; ++k) {
    if (force->special_lj[k + 1] != 0 || force->special_coul[k + 1] != 0) continue;
    for (int i = 0; i < atom->nlocal && atom->nspecial; ++i) {
      const int before = k == 0 ? 0 : atom->nspecial[i][k - 1];
      if (model_.species[atom->type[i]] >= 0 && atom->nspecial[i][k] > before) found = 1;
    }
  }
  int anywhere = 0;
  MPI_Allreduce(&found, &anywhere, 1, MPI_INT, MPI_MAX, world);
  if (anywhere)
    fail(
        "special_bonds takes bonded atoms out of the neighbour lists, so that the model would not see them: add "
        "'special_bonds lj/coul 1 1 1', or read the atoms without bonds");
}

/// Pressure and constant energy are what direct forces cannot give.
void PairIsotrope::check_fixes_for_direct_forces() {
  if (!direct()) return;
  const auto begins = [](const Fix* f, const char* name) { return std::string(f->style).rfind(name, 0) == 0; };
  for (const Fix* f : modify->get_fix_list()) {
    for (const char* barostat : {"npt", "nph", "press", "box/relax"})
      if (begins(f, barostat)) fail(no_virial);
    if (begins(f, "nve") && comm->me == 0)
      error->warning("pair_isotrope.cpp", __LINE__,
                     "isotrope: direct forces are not the derivative of the energy, so that fix " + std::string(f->id) +
                         " (" + f->style + ") will not conserve it: use a thermostat");
  }
}

double PairIsotrope::init_one(int, int) {
  // LAMMPS wants a length; no neighbours are asked for where the model has none.
  constexpr double any = 1;
  return whole() ? any : model_.potential->info().cutoff;
}

void PairIsotrope::compute(int eflag, int vflag) {
  ev_init(eflag, vflag);
  if (direct() && (vflag_atom || cvflag_atom)) fail(no_virial);
  if (whole() && (vflag_atom || cvflag_atom))
    fail(
        "a model that sees the whole molecule has no virial of single atoms: take compute stress/atom out of the "
        "input");
  if (!whole()) find_homes();
  together([&] { whole() ? build_whole_graph() : build_graph(); });
  evaluate();
  add_energies();
  add_forces();
  if (!direct() && !whole() && vflag_either) add_virial();
  // LAMMPS asks for the virial whenever it prints a line, also where nothing shows the pressure.
  if (direct() && vflag_global) std::fill(virial, virial + 6, std::nan(""));
}

/// One number an atom tells its ghosts where they come from: atom maps are not always there.
void PairIsotrope::find_homes() {
  home_.resize(atom->nlocal + atom->nghost);
  for (int i = 0; i < atom->nlocal; ++i) home_[i] = isotrope::Home::number(comm->me, i);
  comm->forward_comm(this);
  halo_.build(world, atom->nlocal, home_);
}

void PairIsotrope::build_graph() {
  isotrope::Domain domain;
  domain.owned = atom->nlocal;
  domain.total = atom->nlocal + atom->nghost;
  domain.atoms = halo_.atoms();
  domain.x = atom->x;
  domain.type = atom->type;
  domain.species = model_.species;
  domain.rows = list->inum;
  domain.atom = list->ilist;
  domain.neighbours = list->numneigh;
  domain.neighbour = list->firstneigh;
  domain.mask = NEIGHMASK;
  domain.place = halo_.place();
  isotrope::build_domain_graph(domain, model_.potential->info().cutoff, graph_);
}

void PairIsotrope::build_whole_graph() {
  gather_.build(world, atom->nlocal, atom->x, atom->type, model_.species, graph_);
}

void PairIsotrope::evaluate() {
  isotrope::Halo& halo = whole() ? static_cast<isotrope::Halo&>(gather_) : halo_;
  try {
    model_.potential->evaluate(graph_, halo, *workspace_, result_);
  } catch (const std::runtime_error& problem) {  // the other ranks may be waiting for this one: only an abort ends them
    error->one("pair_isotrope.cpp", __LINE__, std::string("isotrope: ") + problem.what());
  }
}

void PairIsotrope::add_energies() {
  const std::vector<double>& reference = model_.potential->info().atomic_energies;
  totals_ = {0, 0};
  for (int i = 0; i < graph_.owned; ++i) {
    if (graph_.species[i] < 0) continue;
    const double interaction = energy_unit_ * result_.atom_energy[i];
    const double isolated = energy_unit_ * reference[graph_.species[i]];
    totals_[0] += interaction;
    totals_[1] += isolated;
    if (eflag_atom) eatom[i] += interaction + isolated;
  }
  if (!std::isfinite(totals_[0]))
    error->one("pair_isotrope.cpp", __LINE__,
               std::string(
                   "isotrope: the energy is not a finite number: look for atoms that are far too close, or a time step "
                   "that is too long"));
  if (eflag_global) eng_vdwl += totals_[0] + totals_[1];
}

/// Forces on atoms of other ranks go home here, whatever LAMMPS does with those on its ghosts (newton).
void PairIsotrope::add_forces() {
  if (direct()) return add_direct_forces();
  if (whole()) return add_whole_forces();
  isotrope::assemble_forces(graph_, result_.dE_dr, forces_.values);
  halo_.reverse(forces_);
  for (int i = 0; i < graph_.owned; ++i)
    for (int a = 0; a < 3; ++a) atom->f[i][a] += energy_unit_ * forces_.values[i][a];
}

/// Direct forces belong to owned atoms. Where asked, what they sum to is taken off in equal shares.
void PairIsotrope::add_direct_forces() {
  std::array<double, 4> total{};
  for (int i = 0; i < graph_.owned; ++i) {
    if (graph_.species[i] < 0) continue;
    for (int a = 0; a < 3; ++a) total[a] += result_.direct_forces[i][a];
    total[3] += 1;
  }
  if (settings_.remove_net_force) MPI_Allreduce(MPI_IN_PLACE, total.data(), 4, MPI_DOUBLE, MPI_SUM, world);
  for (int i = 0; i < graph_.owned; ++i) {
    if (graph_.species[i] < 0) continue;
    for (int a = 0; a < 3; ++a) {
      const double share = settings_.remove_net_force ? total[a] / total[3] : 0;
      atom->f[i][a] += energy_unit_ * (result_.direct_forces[i][a] - share);
    }
  }
}

/// Forces on owned atoms are complete. They sum to zero, so that their virial does not depend on the origin.
void PairIsotrope::add_whole_forces() {
  static constexpr int row[6] = {0, 1, 2, 0, 0, 1}, column[6] = {0, 1, 2, 1, 2, 2};  // xx, yy, zz, xy, xz, yz
  for (int i = 0; i < graph_.owned; ++i) {
    const isotrope::Vec3& gradient = result_.position_gradient[i];
    for (int a = 0; a < 3; ++a) atom->f[i][a] -= energy_unit_ * gradient[a];
    for (int k = 0; k < 6 && vflag_global; ++k)
      virial[k] -=
          energy_unit_ * (atom->x[i][row[k]] * gradient[column[k]] + atom->x[i][column[k]] * gradient[row[k]]) / 2;
  }
}

/// An edge's virial is booked on its receiver, so ghosts carry none and both newton settings agree. Where LAMMPS wants
/// six numbers it gets the symmetric part.
void PairIsotrope::add_virial() {
  // xx, yy, zz, xy, xz, yz, yx, zx, zy: LAMMPS's order of nine
  static constexpr int row[9] = {0, 1, 2, 0, 0, 1, 1, 2, 2};
  static constexpr int column[9] = {0, 1, 2, 1, 2, 2, 0, 0, 1};
  isotrope::assemble_atom_virial(graph_, result_.dE_dr, atom_virial_);
  for (int i = 0; i < graph_.owned; ++i) {
    double nine[9];
    for (int k = 0; k < 9; ++k) nine[k] = energy_unit_ * atom_virial_[i][row[k]][column[k]];
    double six[6] = {nine[0], nine[1], nine[2]};
    for (int k = 3; k < 6; ++k) six[k] = 0.5 * (nine[k] + nine[k + 3]);
    for (int k = 0; k < 6 && vflag_global; ++k) virial[k] += six[k];
    for (int k = 0; k < 6 && vflag_atom; ++k) vatom[i][k] += six[k];
    for (int k = 0; k < 9 && cvflag_atom; ++k) cvatom[i][k] += nine[k];
  }
}

double PairIsotrope::memory_usage() {
  const double edges = graph_.neighbour.capacity() * (sizeof(int) + 2.0 * sizeof(isotrope::Vec3));
  const double atoms = graph_.species.capacity() * (sizeof(int) * 3.0 + sizeof(double) * 4.0);
  return Pair::memory_usage() + edges + atoms;
}

int PairIsotrope::pack_forward_comm(int n, int* atoms, double* out, int, int*) {
  for (int k = 0; k < n; ++k) out[k] = home_[atoms[k]];
  return n;
}
void PairIsotrope::unpack_forward_comm(int n, int first, double* in) {
  std::copy_n(in, n, home_.begin() + first);
}

}  // namespace LAMMPS_NS
