// SPDX-License-Identifier: MIT
#include "models/transip.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.hpp"
#include "layers/token_exchange.hpp"
#include "models/check_parameters.hpp"
#include "models/framed.hpp"
#include "models/transip_pass.hpp"

namespace isotrope {
namespace {

template <class T>
struct TransipWorkspace final : Workspace {
  TokenGraph graph;
  TransipArrays<Plain<T>> plain;
  TransipArrays<WithTangent<T>> dual;
  Buffer<T> weight_gradient{"isotrope::transip::weight_gradient"};
  std::vector<std::array<int, TokenGraph::prefixes>> prefix_rows;  ///< [graphs]
};

/// Place of a value in the list of those that the model knows.
int place(const std::vector<int>& known, int value, const char* what) {
  const auto found = std::lower_bound(known.begin(), known.end(), value);
  require(found != known.end() && *found == value,
          "the structure has the {} {}, which the model does not know: it was made for {}", what, value,
          fmt::join(known, ", "));
  return static_cast<int>(found - known.begin());
}

/// Host memory of the seeds of a head, [token][row][width].
template <class A, class F>
void fill_seeds(Buffer<typename A::Real>& buffer, const TokenGraph& tokens, int width, const F& f) {
  const std::size_t size = tokens.tokens * width * A::rows;
  buffer.zeros(size);
  const auto part = Kokkos::subview(buffer.view(), std::make_pair(std::size_t(0), size));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (long t = 0; t < tokens.tokens; ++t) {
    if (tokens.atom[t] < 0) continue;
    for (int k = 0; k < width; ++k) f(&host(t * width * A::rows + k), tokens.atom[t], k);
  }
  Kokkos::deep_copy(part, host);
}

/// The first `width` numbers of rows [token][pad], of the atoms.
template <class T, class F>
void for_atoms(const Buffer<T>& rows, const TokenGraph& tokens, int width, int pad, const F& f) {
  const auto part = Kokkos::subview(rows.view(), std::make_pair(0L, tokens.tokens * pad));
  auto host = Kokkos::create_mirror_view(part);
  Kokkos::deep_copy(host, part);
  for (long t = 0; t < tokens.tokens; ++t) {
    if (tokens.atom[t] < 0) continue;
    for (int k = 0; k < width; ++k) f(tokens.atom[t], k, host(t * pad + k));
  }
}

template <class T>
class Transip final : public Potential {
 public:
  Transip(const ModelRecord& record, const TransipShape& shape, const std::vector<double>& frequencies)
      : shape_(shape),
        plan_(plan_weights<T>(shape, record.parameters)),
        omega_(to_device("isotrope::transip::frequencies", frequencies)) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = 0;
    info_.symmetry = Symmetry::none;
    info_.forces = shape.forces;
    info_.gradient_forces = shape.forces == Forces::gradient;
    info_.direct_forces = shape.forces == Forces::direct;
    info_.charges = shape.charges;
    info_.multiplicities = shape.multiplicities;
    info_.latent_width = shape.width;
    info_.message_passing_layers = shape.layers;
    info_.exchange_width = token_exchange_width<T>(2 * shape.heads.width());
    set_parameters(record.parameters.values());
  }

  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<TransipWorkspace<T>>(); }
  void set_parameters(std::span<const double> values) override { plan_.plan.prepare<T>(values, weights_); }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<TransipWorkspace<T>&>(workspace);
    build(graph, scratch);
    using A = Plain<T>;
    const typename TransipPass<A>::Purpose purpose{info_.direct_forces, false, info_.gradient_forces};
    TransipPass<A> pass(constants<A>(), purpose, scratch.graph, halo, scratch.plain, nullptr);
    pass.forward();
    if (info_.gradient_forces) {
      fill_seeds<A>(scratch.plain.energy.g_out, scratch.graph, 1,
                    [&](T* seed, int, int) { *seed = static_cast<T>(shape_.scale); });
      pass.backward();
    }
    collect(graph, scratch, result);
    if (info_.gradient_forces) collect_position_gradient(graph, halo, scratch, result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<TransipWorkspace<T>&>(workspace);
    build(graph, scratch);
    // Without a derivative of the energy in the loss, its own adjoint does: no duals.
    if (tangent.position.empty()) {
      add_gradient<Plain<T>>(graph, tangent, scratch, scratch.plain, gradient);
    } else {
      scratch.graph.set_tangent(tangent.position);
      add_gradient<WithTangent<T>>(graph, tangent, scratch, scratch.dual, gradient);
    }
  }

 private:
  template <class A>
  typename TransipPass<A>::Constants constants() const {
    return {&shape_, &plan_, omega_.data(), weights_.data()};
  }

  void build(const Graph& graph, TransipWorkspace<T>& scratch) const {
    scratch.prefix_rows.clear();
    for (int g = 0; g < graph.graphs; ++g) {
      require(graph.volume[g] == 0,
              "the model ({}) sees a whole molecule and takes no periodic structure: its local variant does",
              info_.architecture);
      const int charge = place(shape_.charges, graph.charge[g], "charge"),
                multiplicity = place(shape_.multiplicities, graph.multiplicity[g], "multiplicity");
      scratch.prefix_rows.push_back(
          {shape_.species + charge, shape_.species + static_cast<int>(shape_.charges.size()) + multiplicity});
    }
    scratch.graph.build(graph, scratch.prefix_rows);
  }

  template <class A>
  void add_gradient(const Graph& graph, const LossTangent& tangent, TransipWorkspace<T>& scratch,
                    TransipArrays<A>& arrays, std::span<double> gradient) const {
    const bool direct = !tangent.direct_forces.empty(), latent = !tangent.latent.empty();
    const typename TransipPass<A>::Purpose purpose{direct, latent, false};
    NoHalo halo;
    TransipPass<A> pass(constants<A>(), purpose, scratch.graph, halo, arrays,
                        scratch.weight_gradient.zeros(plan_.plan.size()));
    pass.forward();
    seed(graph, tangent, scratch.graph, arrays);
    pass.backward();
    plan_.plan.template add_gradient<T>(scratch.weight_gradient.view(), gradient);
  }

  /// What the loss says about each output: the tangent of its adjoint in a dual, else the adjoint itself.
  template <class A>
  void seed(const Graph& graph, const LossTangent& tangent, const TokenGraph& tokens, TransipArrays<A>& arrays) const {
    const auto put = [](T* at, int width, double value) { at[A::dual ? width : 0] = static_cast<T>(value); };
    fill_seeds<A>(arrays.energy.g_out, tokens, 1, [&](T* at, int atom, int) {
      if constexpr (A::dual) at[0] = static_cast<T>(shape_.scale);
      put(at, 1, shape_.scale * tangent.energy[graph.graph[atom]]);
    });
    if (!tangent.direct_forces.empty()) {
      fill_seeds<A>(arrays.force.g_out, tokens, 3,
                    [&](T* at, int atom, int k) { put(at, 3, shape_.scale * tangent.direct_forces[atom][k]); });
    }
    if (!tangent.latent.empty()) {
      fill_seeds<A>(arrays.g_latent, tokens, plan_.pad, [&](T* at, int atom, int k) {
        if (k < shape_.width) put(at, plan_.pad, tangent.latent[static_cast<std::size_t>(atom) * shape_.width + k]);
      });
    }
  }

  void collect(const Graph& graph, const TransipWorkspace<T>& scratch, Result& result) const {
    const TokenGraph& tokens = scratch.graph;
    const TransipArrays<Plain<T>>& arrays = scratch.plain;
    result.atom_energy.assign(graph.owned, 0);
    result.dE_dr.clear();
    result.direct_forces.clear();
    result.position_gradient.clear();
    for_atoms(arrays.energy.out, tokens, 1, 1,
              [&](int atom, int, T e) { result.atom_energy[atom] = shape_.scale * static_cast<double>(e); });
    if (info_.direct_forces) {
      result.direct_forces.assign(graph.owned, Vec3{});
      for_atoms(arrays.force.out, tokens, 3, 3,
                [&](int atom, int k, T f) { result.direct_forces[atom][k] = shape_.scale * static_cast<double>(f); });
    }
    if (!result.want_latent) return;
    result.latent.assign(static_cast<std::size_t>(graph.owned) * shape_.width, 0);
    for_atoms(arrays.y, tokens, shape_.width, plan_.pad, [&](int atom, int k, T f) {
      result.latent[static_cast<std::size_t>(atom) * shape_.width + k] = static_cast<double>(f);
    });
  }

  /// Every rank makes the exchange, with or without atoms.
  void collect_position_gradient(const Graph& graph, Halo& halo, const TransipWorkspace<T>& scratch,
                                 Result& result) const {
    std::vector<Vec3> prefix = scratch.graph.prefix_gradient(scratch.plain.g_x);
    StructureNumbers exchange(graph, prefix.at(0));
    halo.forward(exchange);
    result.position_gradient.assign(graph.owned, Vec3{});
    scratch.graph.positions_to_host(scratch.plain.g_x, prefix, result.position_gradient);
  }

  TransipShape shape_;
  TransipWeights plan_;
  View<double> omega_;
  View<T> weights_;
  PotentialInfo info_;
};

}  // namespace

std::unique_ptr<Potential> make_transip(const ModelRecord& record, Precision precision) {
  const TransipShape shape = TransipShape::from(record.hyperparameters, static_cast<int>(record.elements.size()));
  check_parameters(record.parameters, declare_parameters(shape));
  require(record.cutoff == 0, "model: architecture transip sees whole molecules and has no cutoff, found {} Å",
          record.cutoff);
  const auto table = record.tables.find("rotary.frequencies");
  require(table != record.tables.end() && static_cast<int>(table->second.values.size()) == shape.frequencies,
          "model: expected the table rotary.frequencies of {} numbers", shape.frequencies);
  const auto backbone = [&]() -> std::unique_ptr<Potential> {
    if (precision == Precision::single_precision)
      return std::make_unique<Transip<float>>(record, shape, table->second.values);
    return std::make_unique<Transip<double>>(record, shape, table->second.values);
  };
  return shape.frames ? average_over_frames(backbone(), *shape.frames, shape.frame_gap) : backbone();
}

}  // namespace isotrope
