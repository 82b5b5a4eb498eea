// SPDX-License-Identifier: MIT
#include "models/transip.hpp"

#include "layers/token_exchange.hpp"
#include "models/check_parameters.hpp"
#include "models/framed.hpp"
#include "models/transip_local.hpp"
#include "models/transip_potential.hpp"

namespace isotrope {
namespace {

template <class T>
struct WholeWorkspace final : Workspace {
  TokenGraph graph;
  struct Arrays {
    TransipArrays<T> pass;
    FullMixingArrays<T> mixing;
  };
  Arrays plain, dual;
  bool in_dual = false;  ///< whether the last evaluation lies in the places of duals
  Evaluated evaluated;
  Buffer<T> weight_gradient{"isotrope::transip::weight_gradient"};
  std::vector<std::array<int, TokenGraph::prefixes>> prefix_rows;  ///< [graphs]
};

/// Attention over all tokens of a molecule.
template <class T>
class WholeTransip final : public TransipPotential<T> {
 public:
  using TransipPotential<T>::TransipPotential;
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<WholeWorkspace<T>>(); }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<WholeWorkspace<T>&>(workspace);
    build(graph, scratch);
    this->run_and_leave(graph, scratch.evaluated, [&](bool leave) { run(halo, scratch, leave); });
    collect(graph, scratch, result);
    if (info_.gradient_forces) collect_position_gradient(graph, halo, scratch, result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<WholeWorkspace<T>&>(workspace);
    build(graph, scratch);
    const bool duals = !tangent.position.empty();
    NoHalo halo;
    const Values values =
        this->have_values(graph, tangent, duals, scratch.evaluated, [&] { run(halo, scratch, true); });
    // Without a derivative of the energy in the loss, its own adjoint does: no duals.
    if (!duals) {
      add_gradient<Plain<T>>(graph, tangent, values, scratch, scratch.plain, gradient);
    } else {
      scratch.graph.set_tangent(tangent.position);
      add_gradient<WithTangent<T>>(graph, tangent, values, scratch, scratch.dual, gradient);
    }
  }

 private:
  using TransipPotential<T>::info_;
  using TransipPotential<T>::shape_;
  using TransipPotential<T>::plan_;

  using Arrays = typename WholeWorkspace<T>::Arrays;

  /// Energies, direct forces and dE/dx of the batch in `scratch`; `leave`: where a dual pass over it finds them.
  void run(Halo& halo, WholeWorkspace<T>& scratch, bool leave) const {
    scratch.in_dual = leave;
    leave ? run_in<InDuals<T>>(halo, scratch.graph, scratch.dual)
          : run_in<Plain<T>>(halo, scratch.graph, scratch.plain);
  }

  template <class A>
  void run_in(Halo& halo, const TokenGraph& graph, Arrays& arrays) const {
    FullMixing<A> mixing(this->mixing(info_.gradient_forces), graph, halo, Values::computed, arrays.mixing);
    TransipPass<A> pass(this->template constants<A>(), {info_.direct_forces}, mixing, arrays.pass, nullptr);
    pass.forward();
    if (info_.gradient_forces) {
      this->template seed_energies<A>(graph.atom, arrays.pass, [](T*, long) {});
      pass.backward();
    }
  }

  void build(const Graph& graph, WholeWorkspace<T>& scratch) const {
    for (const double volume : graph.volume)
      require(volume == 0,
              "the model ({}) sees a whole molecule and takes no periodic structure: its local variant does",
              info_.architecture);
    this->find_prefix_rows(graph, scratch.prefix_rows);
    scratch.graph.build(graph, scratch.prefix_rows);
  }

  template <class A>
  void add_gradient(const Graph& graph, const LossTangent& tangent, Values values, WholeWorkspace<T>& scratch,
                    Arrays& arrays, std::span<double> gradient) const {
    NoHalo halo;
    FullMixing<A> mixing(this->mixing(false), scratch.graph, halo, values, arrays.mixing);
    TransipPass<A> pass(this->template constants<A>(),
                        {!tangent.direct_forces.empty(), !tangent.latent.empty(), values}, mixing, arrays.pass,
                        scratch.weight_gradient.zeros(plan_.plan.size()));
    pass.forward();
    this->template seed_loss<A>(graph, tangent, scratch.graph.atom, arrays.pass, [](T*, long) {});
    pass.backward();
    // No weight is divided by a parameter: their values are not read.
    plan_.plan.template add_gradient<T>(scratch.weight_gradient.view(), {}, gradient);
  }

  static const Arrays& last(const WholeWorkspace<T>& scratch) { return scratch.in_dual ? scratch.dual : scratch.plain; }

  void collect(const Graph& graph, const WholeWorkspace<T>& scratch, Result& result) const {
    const std::vector<int>& atom = scratch.graph.atom;
    const TransipArrays<T>& arrays = last(scratch).pass;
    const int rows = scratch.in_dual ? 2 : 1;
    result.atom_energy.assign(graph.owned, 0);
    result.dE_dr.clear();
    result.direct_forces.assign(info_.direct_forces ? graph.owned : 0, Vec3{});
    result.position_gradient.clear();
    for_atom_rows(arrays.energy.out, atom, rows, [&](const T* row, long t) {
      result.atom_energy[atom[t]] = shape_.scale * static_cast<double>(row[0]);
    });
    if (info_.direct_forces) {
      for_atom_rows(arrays.force.out, atom, 3 * rows, [&](const T* row, long t) {
        for (int k = 0; k < 3; ++k) result.direct_forces[atom[t]][k] = shape_.scale * static_cast<double>(row[k]);
      });
    }
    this->collect_latent(atom, arrays, rows, graph.owned, result);
  }

  /// Every rank makes the exchange, with or without atoms.
  void collect_position_gradient(const Graph& graph, Halo& halo, const WholeWorkspace<T>& scratch,
                                 Result& result) const {
    const Buffer<double>& g_x = last(scratch).mixing.g_x;
    std::vector<Vec3> prefix = scratch.graph.prefix_gradient(g_x);
    StructureNumbers exchange(graph, prefix.at(0));
    halo.forward(exchange);
    result.position_gradient.assign(graph.owned, Vec3{});
    scratch.graph.positions_to_host(g_x, prefix, result.position_gradient);
  }
};

std::unique_ptr<Potential> make_whole_transip(const ModelRecord& record, const TransipShape& shape,
                                              const std::vector<double>& frequencies, Precision precision) {
  const auto backbone = [&]() -> std::unique_ptr<Potential> {
    if (precision == Precision::single_precision)
      return std::make_unique<WholeTransip<float>>(record, shape, frequencies);
    return std::make_unique<WholeTransip<double>>(record, shape, frequencies);
  };
  return shape.frames ? average_over_frames(backbone(), *shape.frames, shape.frame_gap) : backbone();
}

}  // namespace

std::unique_ptr<Potential> make_transip(const ModelRecord& record, Precision precision) {
  const TransipShape shape =
      TransipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()), record.cutoff);
  check_parameters(record.parameters, declare_parameters(shape));
  const auto table = record.tables.find("rotary.frequencies");
  require(table != record.tables.end() && static_cast<int>(table->second.values.size()) == shape.frequencies,
          "model: expected the table rotary.frequencies of {} numbers", shape.frequencies);
  const auto& frequencies = table->second.values;
  return shape.cutoff > 0 ? make_local_transip(record, shape, frequencies, precision)
                          : make_whole_transip(record, shape, frequencies, precision);
}

}  // namespace isotrope
