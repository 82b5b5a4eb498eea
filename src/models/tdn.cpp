// SPDX-License-Identifier: MIT
#include "models/tdn.hpp"

#include "core/error.hpp"
#include "models/check_parameters.hpp"
#include "models/evaluated.hpp"
#include "models/tdn_pass.hpp"
#include "models/tdn_tables.hpp"

namespace isotrope {
namespace {

template <class T>
struct TdnWorkspace final : Workspace {
  DeviceGraph graph;
  TdnArrays<Plain<T>> plain;
  TdnArrays<WithTangent<T>> dual;
  Buffer<T> weight_gradient{"isotrope::tdn::weight_gradient"};
  Evaluated evaluated;
};

template <class T>
class Tdn final : public Potential {
 public:
  using What = Evaluated::What;

  Tdn(const ModelRecord& record, const TdnShape& shape, const std::vector<double>& tensor)
      : shape_(shape),
        names_(record.parameters),
        plan_(plan_weights<T>(shape, record.parameters)),
        product_(shape.l_max, tensor),
        scale_(to_device("isotrope::tdn::scale", shape.scale)) {
    info_.architecture = record.architecture;
    info_.elements = record.elements;
    info_.atomic_energies = record.atomic_energies;
    info_.cutoff = record.cutoff;
    info_.symmetry = shape.cp_coupling ? Symmetry::none : shape.natural_parity ? Symmetry::o3 : Symmetry::so3;
    info_.smooth_cutoff = shape.smooth() && shape.isolated_zero;
    info_.gradient_forces = shape.gradient_forces;
    info_.direct_forces = shape.direct_forces;
    info_.forces = shape.gradient_forces ? Forces::gradient : Forces::direct;
    info_.message_passing_layers = shape.layers + (shape.direct_forces ? 1 : 0);
    set_parameters(record.parameters.values());
  }

  const PotentialInfo& info() const override { return info_; }
  std::unique_ptr<Workspace> make_workspace() const override { return std::make_unique<TdnWorkspace<T>>(); }
  void set_parameters(std::span<const double> values) override {
    values_.assign(values.begin(), values.end());
    tables_.networks.clear();
    plan_.plan.prepare<T>(values, weights_);
    ++version_;
  }

  void use_forces(Forces kind) override {
    Potential::use_forces(kind);
    info_.forces = kind;
    info_.gradient_forces = kind == Forces::gradient;
    info_.direct_forces = kind == Forces::direct;
    info_.message_passing_layers = shape_.layers + (info_.direct_forces ? 1 : 0);
    ++version_;
  }

  std::optional<TableReport> tabulate_radial(double tolerance) override {
    tables_ = isotrope::tabulate_radial<T>(shape_, names_, values_, tolerance);
    ++version_;
    return tables_.report;
  }

  void evaluate(const Graph& graph, Halo& halo, Workspace& workspace, Result& result) const override {
    auto& scratch = static_cast<TdnWorkspace<T>&>(workspace);
    scratch.graph.build(graph, shape_.species);
    const TdnPurpose purpose{info_.direct_forces, info_.gradient_forces || scratch.evaluated.wanted(),
                             info_.gradient_forces};
    TdnPass<Plain<T>> pass(constants<Plain<T>>(), purpose, scratch.graph, halo, scratch.plain, nullptr);
    const bool values = scratch.evaluated.wanted() && pass.leave_values_to(scratch.dual);
    pass.forward();
    if (info_.gradient_forces) pass.backward();
    // A pass that ended in forces has written over what it kept for itself.
    const What left = values ? What::values : info_.gradient_forces ? What::nothing : What::forward;
    if (scratch.evaluated.wanted()) scratch.evaluated.leave(left, graph, version_);
    collect(graph, scratch, result);
  }

  void add_loss_gradient(const Graph& graph, const LossTangent& tangent, Workspace& workspace,
                         std::span<double> gradient) const override {
    auto& scratch = static_cast<TdnWorkspace<T>&>(workspace);
    if (tangent.dr.empty()) {
      add_gradient<Plain<T>>(graph, tangent, scratch, scratch.plain, gradient);
    } else {
      add_gradient<WithTangent<T>>(graph, tangent, scratch, scratch.dual, gradient);
    }
  }

 private:
  template <class A>
  typename TdnPass<A>::Constants constants() const {
    const bool tables = !A::dual && !tables_.networks.empty();
    return {&shape_, &plan_, &product_, scale_.data(), weights_.data(), tables ? &tables_.networks : nullptr};
  }

  /// The energy and direct forces alone need no duals: the adjoint of the loss itself, seeded by its derivatives.
  template <class A>
  void add_gradient(const Graph& graph, const LossTangent& tangent, TdnWorkspace<T>& scratch, TdnArrays<A>& arrays,
                    std::span<double> gradient) const {
    const bool direct = !tangent.direct_forces.empty();
    const bool same_pass = tables_.networks.empty() && direct == info_.direct_forces;
    const What left = scratch.evaluated.take(graph, version_);
    const bool forward_is_there = !A::dual && same_pass && left == What::forward && arrays.kept;
    if (!forward_is_there) scratch.graph.build(graph, shape_.species);
    scratch.graph.set_tangent(graph, tangent.dr, tangent.energy);
    scratch.plain.most_kept = scratch.dual.most_kept = most_kept_in_training;
    // The same way every time, so that training resumed is training uninterrupted.
    arrays.values_there = A::dual && same_pass && !direct && (left == What::values || leave_values(scratch));
    const TdnPurpose purpose{direct, true, false};
    seed_forces<A>(graph, tangent, scratch.graph, arrays);
    NoHalo halo;
    TdnPass<A> pass(constants<A>(), purpose, scratch.graph, halo, arrays,
                    scratch.weight_gradient.zeros(plan_.plan.size()));
    if (!forward_is_there) pass.forward();
    pass.backward();
    plan_.plan.template add_gradient<T>(scratch.weight_gradient.view(), values_, gradient);
  }

  /// Makes a plain pass for its values where evaluate() has left none; false where there is no room for them.
  bool leave_values(TdnWorkspace<T>& scratch) const {
    NoHalo halo;
    TdnPass<Plain<T>> pass(constants<Plain<T>>(), {false, true, true}, scratch.graph, halo, scratch.plain, nullptr);
    if (!pass.leave_values_to(scratch.dual)) return false;
    pass.forward();
    pass.backward();
    return true;
  }

  /// dL/dF of direct forces times the scale of the species, as the tangent of the adjoint or as the adjoint itself.
  template <class A>
  void seed_forces(const Graph& graph, const LossTangent& tangent, const DeviceGraph& rows,
                   TdnArrays<A>& arrays) const {
    if (tangent.direct_forces.empty()) return;
    arrays.force_seed.reserve(3 * static_cast<std::size_t>(rows.rows));
    const auto part = Kokkos::subview(arrays.force_seed.view(), std::make_pair(0, 3 * rows.rows));
    auto host = Kokkos::create_mirror_view(part);
    for (int row = 0; row < rows.rows; ++row) {
      const int atom = rows.order[row];
      for (int k = 0; k < 3; ++k) {
        const T g = static_cast<T>(shape_.force_scale[graph.species[atom]] * tangent.direct_forces[atom][k]);
        if constexpr (A::dual) {
          host(3 * row + k) = {T(0), g};
        } else {
          host(3 * row + k) = g;
        }
      }
    }
    Kokkos::deep_copy(part, host);
  }

  void collect(const Graph& graph, const TdnWorkspace<T>& scratch, Result& result) const {
    collect_energies(graph, scratch, result);
    result.dE_dr.clear();
    result.direct_forces.clear();
    if (info_.gradient_forces) {
      result.dE_dr.resize(graph.edges());
      scratch.graph.edges_to_host(scratch.plain.g_r.view(), result.dE_dr);
    }
    if (info_.direct_forces) collect_forces(graph, scratch, result);
  }

  /// An atom without neighbours has no interaction energy.
  void collect_energies(const Graph& graph, const TdnWorkspace<T>& scratch, Result& result) const {
    const DeviceGraph& rows = scratch.graph;
    result.atom_energy.assign(graph.owned, 0);
    const long nodes = rows.rows + (shape_.isolated_zero ? shape_.species : 0);
    const auto part = Kokkos::subview(scratch.plain.energy.view(), std::make_pair(0L, nodes));
    auto energy = Kokkos::create_mirror_view(part);
    Kokkos::deep_copy(energy, part);
    for (int row = 0; row < rows.rows; ++row) {
      if (rows.host_first[row] == rows.host_first[row + 1]) continue;
      const int s = graph.species[rows.order[row]];
      const double alone = shape_.isolated_zero ? energy(rows.rows + s) : 0;
      result.atom_energy[rows.order[row]] = shape_.scale[s] * (energy(row) - alone);
    }
  }

  void collect_forces(const Graph& graph, const TdnWorkspace<T>& scratch, Result& result) const {
    const DeviceGraph& rows = scratch.graph;
    result.direct_forces.assign(graph.owned, Vec3{});
    const int width = plan_.force_project.out;
    const auto part = Kokkos::subview(scratch.plain.force_column.view(), std::make_pair(0, 3 * rows.rows * width));
    auto force = Kokkos::create_mirror_view(part);
    Kokkos::deep_copy(force, part);
    for (int row = 0; row < rows.rows; ++row) {
      if (rows.host_first[row] == rows.host_first[row + 1]) continue;
      const double scale = shape_.force_scale[graph.species[rows.order[row]]];
      for (int k = 0; k < 3; ++k) {
        result.direct_forces[rows.order[row]][k] = scale * force((3 * row + k) * width);
      }
    }
  }

  static constexpr long most_kept_in_training = 1L << 28;  // numbers: 1 GiB in single precision

  TdnShape shape_;
  Parameters names_;
  TdnWeights plan_;
  EdgeProduct product_;
  std::vector<double> values_;
  TdnTables<T> tables_;
  View<double> scale_;
  View<T> weights_;
  PotentialInfo info_;
  std::uint64_t version_ = 0;  ///< counts changes of what evaluate() computes with
};

}  // namespace

std::unique_ptr<Potential> make_tdn(const ModelRecord& record, Precision precision) {
  const int species = static_cast<int>(record.elements.size());
  const TdnShape shape = TdnShape::from(record.hyperparameters, species, record.cutoff);
  check_parameters(record.parameters, declare_parameters(shape));
  const std::vector<double> tensor = coupling_tensor(record, shape);
  if (precision == Precision::single_precision) return std::make_unique<Tdn<float>>(record, shape, tensor);
  return std::make_unique<Tdn<double>>(record, shape, tensor);
}

}  // namespace isotrope
