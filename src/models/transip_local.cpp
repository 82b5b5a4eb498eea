// SPDX-License-Identifier: MIT
#include "models/transip_local.hpp"

#include "models/transip_potential.hpp"

namespace isotrope {
namespace {

template <class T>
struct LocalWorkspace final : Workspace {
  NeighbourTokens graph;
  TransipArrays<T> plain, dual;
  bool in_dual = false;  ///< whether the last evaluation lies in the places of duals
  Evaluated evaluated;
  NeighbourMixingArrays<Plain<T>> plain_mixing;
  NeighbourMixingArrays<InDuals<T>> left_mixing;
  NeighbourMixingArrays<WithTangent<T>> dual_mixing;
  Buffer<T> weight_gradient{"isotrope::transip_local::weight_gradient"};
  std::vector<std::array<int, NeighbourTokens::prefixes>> prefix_rows;  ///< [graphs]
};

/// What the heads say of an atom is less what they say of the lone atom of its species, so that an atom without
/// neighbours has energy and force 0.
template <class T>
class LocalTransip final : public TransipPotential<T> {
 public:
  using TransipPotential<T>::TransipPotential;
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<LocalWorkspace<T>>(); }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<LocalWorkspace<T>&>(workspace);
    build(graph, scratch);
    this->run_and_leave(graph, scratch.evaluated, [&](bool leave) { run(halo, scratch, leave); });
    collect(graph, scratch, result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<LocalWorkspace<T>&>(workspace);
    build(graph, scratch);
    const bool duals = !tangent.dr.empty();
    NoHalo halo;
    const Values values =
        this->have_values(graph, tangent, duals, scratch.evaluated, [&] { run(halo, scratch, true); });
    // Without a derivative of the energy in the loss, its own adjoint does: no duals.
    if (!duals) {
      add_gradient<Plain<T>>(graph, tangent, values, scratch, scratch.plain, scratch.plain_mixing, gradient);
    } else {
      scratch.graph.set_tangent(tangent.dr);
      add_gradient<WithTangent<T>>(graph, tangent, values, scratch, scratch.dual, scratch.dual_mixing, gradient);
    }
  }

 private:
  using TransipPotential<T>::info_;
  using TransipPotential<T>::shape_;
  using TransipPotential<T>::plan_;

  /// Energies, direct forces and dE/dr of the batch in `scratch`; `leave`: where a dual pass over it finds them.
  void run(Halo& halo, LocalWorkspace<T>& scratch, bool leave) const {
    scratch.in_dual = leave;
    leave ? run_in<InDuals<T>>(halo, scratch.graph, scratch.dual, scratch.left_mixing)
          : run_in<Plain<T>>(halo, scratch.graph, scratch.plain, scratch.plain_mixing);
  }

  template <class A>
  void run_in(Halo& halo, const NeighbourTokens& graph, TransipArrays<T>& arrays,
              NeighbourMixingArrays<A>& mixing_arrays) const {
    NeighbourMixing<A> mixing = mixing_of<A>(info_.gradient_forces, graph, halo, mixing_arrays);
    TransipPass<A> pass(this->template constants<A>(), {info_.direct_forces}, mixing, arrays, nullptr);
    pass.forward();
    if (info_.gradient_forces) {
      this->template seed_energies<A>(graph.atom, arrays,
                                      [&](T* rows, long size) { subtract_lone(graph, rows, size); });
      pass.backward();
    }
  }

  void build(const Graph& graph, LocalWorkspace<T>& scratch) const {
    this->find_prefix_rows(graph, scratch.prefix_rows);
    scratch.graph.build(graph, scratch.prefix_rows, shape_.species);
  }

  template <class A>
  NeighbourMixing<A> mixing_of(bool positions, const NeighbourTokens& graph, Halo& halo,
                               NeighbourMixingArrays<A>& arrays) const {
    return {this->mixing(positions), shape_.cutoff, shape_.logit_bound, graph, halo, arrays};
  }

  template <class A>
  void add_gradient(const Graph& graph, const LossTangent& tangent, Values values, LocalWorkspace<T>& scratch,
                    TransipArrays<T>& arrays, NeighbourMixingArrays<A>& mixing_arrays,
                    std::span<double> gradient) const {
    NoHalo halo;
    NeighbourMixing<A> mixing = mixing_of<A>(false, scratch.graph, halo, mixing_arrays);
    TransipPass<A> pass(this->template constants<A>(),
                        {!tangent.direct_forces.empty(), !tangent.latent.empty(), values}, mixing, arrays,
                        scratch.weight_gradient.zeros(plan_.plan.size()));
    pass.forward();
    this->template seed_loss<A>(graph, tangent, scratch.graph.atom, arrays,
                                [&](T* rows, long size) { subtract_lone(scratch.graph, rows, size); });
    pass.backward();
    // No weight is divided by a parameter: their values are not read.
    plan_.plan.template add_gradient<T>(scratch.weight_gradient.view(), {}, gradient);
  }

  /// The adjoint of the subtraction. An atom without neighbours is 0 by definition.
  static void subtract_lone(const NeighbourTokens& graph, T* rows, long size) {
    for (long t = 0; t < graph.tokens; ++t) {
      for (long k = 0; k < size && graph.lone[t] >= 0; ++k) {
        T& seed = rows[t * size + k];
        if (graph.alone[t]) seed = T(0);
        rows[graph.lone[t] * size + k] -= seed;
      }
    }
  }

  /// f(atom, number, what the head says of the atom less what it says of the lone atom); rows [token][rows][width].
  template <class F>
  void collect_head(const NeighbourTokens& graph, const Buffer<T>& out, int rows, int width, const F& f) const {
    const long row = static_cast<long>(rows) * width;
    const auto part = Kokkos::subview(out.view(), std::make_pair(0L, graph.tokens * row));
    auto host = Kokkos::create_mirror_view(part);
    Kokkos::deep_copy(host, part);
    for (long t = 0; t < graph.tokens; ++t) {
      if (graph.lone[t] < 0 || graph.alone[t]) continue;
      for (int k = 0; k < width; ++k) {
        const double said = host(t * row + k), lone = host(graph.lone[t] * row + k);
        f(graph.atom[t], k, shape_.scale * (said - lone));
      }
    }
  }

  void collect(const Graph& graph, const LocalWorkspace<T>& scratch, Result& result) const {
    result.atom_energy.assign(graph.owned, 0);
    result.dE_dr.clear();
    result.position_gradient.clear();
    result.direct_forces.assign(info_.direct_forces ? graph.owned : 0, Vec3{});
    const TransipArrays<T>& arrays = scratch.in_dual ? scratch.dual : scratch.plain;
    const int rows = scratch.in_dual ? 2 : 1;
    collect_head(scratch.graph, arrays.energy.out, rows, 1,
                 [&](int atom, int, double energy) { result.atom_energy[atom] = energy; });
    if (info_.direct_forces) {
      collect_head(scratch.graph, arrays.force.out, rows, 3,
                   [&](int atom, int k, double force) { result.direct_forces[atom][k] = force; });
    } else {
      result.dE_dr.resize(graph.edges());
      scratch.graph.edges_to_host(scratch.in_dual ? scratch.left_mixing.g_r : scratch.plain_mixing.g_r, result.dE_dr);
    }
    this->collect_latent(scratch.graph.atom, arrays, rows, graph.owned, result);
  }
};

}  // namespace

std::unique_ptr<Potential> make_local_transip(const ModelRecord& record, const TransipShape& shape,
                                              const std::vector<double>& frequencies, Precision precision) {
  if (precision == Precision::single_precision)
    return std::make_unique<LocalTransip<float>>(record, shape, frequencies);
  return std::make_unique<LocalTransip<double>>(record, shape, frequencies);
}

}  // namespace isotrope
